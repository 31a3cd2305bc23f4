/** Whether the kernel reads a variable where it lies, by its type: only then what is written over it is in force. */
import { stripAliases } from "../../btf/layout.ts";
import type { Btf, BtfComposite, TypeId } from "../../btf/types.ts";
import type { ReadInPlace } from "../../diff/options.ts";
import { CALLED_IN_PLACE, COPIED_AT_REGISTRATION, READ_IN_PLACE } from "../../diff/used-in-place.ts";

/** Undefined where its type is not told. */
export function readInPlace(btf: Btf | undefined, variable: string): ReadInPlace | undefined {
  const [id] = btf?.findByName(variable, "variable") ?? [];
  const found = id === undefined ? undefined : btf?.type(id);
  if (btf === undefined || found?.kind !== "variable") return undefined;
  const type = btf.type(elementOf(btf, found.type));
  if (type.kind !== "struct" && type.kind !== "union")
    // Numbers, and lists of functions: who uses them has no other way to them than their place.
    return type.kind === "forward" ? undefined : { functions: true, contents: true };
  const { name } = type;
  return {
    functions: CALLED_IN_PLACE.has(name) || COPIED_AT_REGISTRATION.has(name) || isOperations(btf, type),
    contents: READ_IN_PLACE.has(name),
  };
}

function elementOf(btf: Btf, id: TypeId): TypeId {
  const stripped = stripAliases(btf, id);
  const type = btf.type(stripped);
  return type.kind === "array" ? elementOf(btf, type.element) : stripped;
}

/**
 * Functions alone, beside numbers and whose they are: who is given such a table keeps its address. One that
 * describes a thing to be made (nf_hook_ops, snd_kcontrol_new) has names or pointers to data, too.
 */
function isOperations(btf: Btf, { members }: BtfComposite): boolean {
  return members.every(({ name, type }) => {
    const member = btf.type(stripAliases(btf, type));
    if (member.kind === "int" || member.kind === "enum") return true;
    if (member.kind !== "pointer") return false;
    const target = btf.type(stripAliases(btf, member.target));
    return target.kind === "prototype" || (name === "owner" && target.kind !== "void" && target.name === "module");
  });
}
