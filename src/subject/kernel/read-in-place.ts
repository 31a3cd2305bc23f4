/** Whether the kernel reads a variable where it lies, by its type: only then what is written over it is in force. */
import { stripAliases } from "../../btf/layout.ts";
import type { Btf, BtfComposite, TypeId } from "../../btf/types.ts";
import type { ReadInPlace } from "../../diff/options.ts";
import { CALLED_IN_PLACE, COPIED_AT_REGISTRATION, READ_IN_PLACE } from "../../diff/used-in-place.ts";
import { COPIED_OPERATIONS, COPIED_TABLES } from "./copied-operations.ts";

/** Undefined where its type is not told. `running` has the types of the image, where these are known. */
export function readInPlace(btf: Btf | undefined, variable: string, running?: Btf): ReadInPlace | undefined {
  const [id] = btf?.findByName(variable, "variable") ?? [];
  const found = id === undefined ? undefined : btf?.type(id);
  if (btf === undefined || found?.kind !== "variable") return undefined;
  const type = btf.type(elementOf(btf, found.type));
  if (type.kind === "forward") return undefined;
  if (type.kind !== "struct" && type.kind !== "union") {
    // Numbers, and lists of functions: who uses them has no other way to them than their place. Whoever went
    // through a list of other things (groups of attributes, names) may have made something of each.
    const is = type.kind !== "pointer" || btf.kind(stripAliases(btf, type.target)) === "prototype";
    return { functions: is, contents: is };
  }
  const { name } = type;
  const isKnown = CALLED_IN_PLACE.has(name) || (COPIED_AT_REGISTRATION.has(name) && !CALLED_AT_REGISTRATION.has(name));
  return {
    functions: isKnown || (isOperations(btf, type) && !isCopied(variable, name, [btf, running])),
    contents: READ_IN_PLACE.has(name),
  };
}

/** Whose functions are copied or called when they are registered, too: fs/sysfs/group.c (is_visible), drivers/base/regmap/regmap.c. */
const CALLED_AT_REGISTRATION: ReadonlySet<string> = new Set(["attribute_group", "regmap_config"]);

/** Whether somebody has copies of such a table: one that was looked up, or one that another struct has room for. */
function isCopied(variable: string, struct: string, types: readonly (Btf | undefined)[]): boolean {
  if (COPIED_TABLES.has(variable) || COPIED_OPERATIONS.has(struct)) return true;
  return types.some((btf) => btf !== undefined && struct !== "" && isPartOfAnother(btf, struct));
}

/** Whether a struct has this one for a member that can be written. */
function isPartOfAnother(btf: Btf, struct: string): boolean {
  const ids = new Set(btf.findByName(struct, "struct"));
  for (let id = 1; ids.size > 0 && id < btf.count; id++) {
    const kind = btf.kind(id);
    if (kind !== "struct" && kind !== "union") continue;
    const type = btf.type(id);
    if (
      (type.kind === "struct" || type.kind === "union") &&
      type.members.some((it) => !isConstant(btf, it.type) && ids.has(elementOf(btf, it.type)))
    )
      return true;
  }
  return false;
}

function isConstant(btf: Btf, id: TypeId): boolean {
  const type = btf.type(id);
  if (type.kind === "array") return isConstant(btf, type.element);
  return (
    type.kind === "const" || ((type.kind === "typedef" || type.kind === "volatile") && isConstant(btf, type.target))
  );
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
