/** Whether the kernel reads a variable where it lies, by its type: only then what is written over it is in force. */
import { stripAliases } from "../../btf/layout.ts";
import type { Btf, TypeId } from "../../btf/types.ts";
import type { ReadInPlace } from "../../diff/options.ts";
import { READ_IN_PLACE } from "./structs-in-place.ts";

/** Undefined where its type is not told. */
export function readInPlace(btf: Btf | undefined, variable: string): ReadInPlace | undefined {
  const [id] = btf?.findByName(variable, "variable") ?? [];
  const found = id === undefined ? undefined : btf?.type(id);
  if (btf === undefined || found?.kind !== "variable") return undefined;
  const type = btf.type(elementOf(btf, found.type));
  if (type.kind === "forward") return undefined;
  if (type.kind === "struct" || type.kind === "union") return READ_IN_PLACE.get(type.name) ?? {};
  // Numbers, and lists of functions: who uses them has no other way to them than their place. Whoever went
  // through a list of other things (groups of attributes, names) may have made something of each.
  const is = type.kind !== "pointer" || btf.kind(stripAliases(btf, type.target)) === "prototype";
  return is ? { functions: true, contents: true } : {};
}

function elementOf(btf: Btf, id: TypeId): TypeId {
  const stripped = stripAliases(btf, id);
  const type = btf.type(stripped);
  return type.kind === "array" ? elementOf(btf, type.element) : stripped;
}
