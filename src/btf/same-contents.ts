/** Whether what lies in memory as one type means the same as another type. */
import { corrupt } from "./fault.ts";
import { layoutOf, sizeOf, stripAliases, withoutWrappers } from "./layout.ts";
import { sameTypeIn } from "./same-type.ts";
import { sharedTypes } from "./shared-types.ts";
import type { Btf, BtfType, TypeId } from "./types.ts";

/** Deeper than any declaration nests pointers and arrays. */
const MAX_DEPTH = 32;

/**
 * Compares types of an original with those of the patched unit. A struct or union
 * under one name is the same, for its members are compared by themselves; so are
 * numbers of one size, but for what becomes a bool, and pointers of which one may point to anything (void).
 */
export function sameContentsIn(original: Btf, patched: Btf): (original: TypeId, patched: TypeId) => boolean {
  const same = sameTypeIn(original, patched, sharedTypes(original, patched));

  const holdsSame = (a: TypeId, b: TypeId, depth: number): boolean => {
    if (depth > MAX_DEPTH) throw corrupt(original.name, "a type is nested without end");
    if (same.types(a, b)) return true;
    const [idA, idB] = [stripAliases(original, a), stripAliases(patched, b)];
    const [was, is] = [original.type(idA), patched.type(idB)];
    if (isComposite(was) && isComposite(is) && was.name !== "" && was.name === is.name)
      return kindOf(was) === kindOf(is);
    if (isComposite(was) || isComposite(is)) return holdsSameMembers(idA, idB, depth);
    if (isNumber(was) && isNumber(is))
      return sizeOf(original, idA) === sizeOf(patched, idB) && (isBool(was) || !isBool(is));
    if (was.kind === "pointer" && is.kind === "pointer")
      return isVoid(original, was.target) || isVoid(patched, is.target) || holdsSame(was.target, is.target, depth + 1);
    if (was.kind === "array" && is.kind === "array") return holdsSame(was.element, is.element, depth + 1);
    return same.types(idA, idB);
  };

  /** Where one is a struct around a single member (atomic_t), it has the bytes of that. */
  const holdsSameMembers = (a: TypeId, b: TypeId, depth: number): boolean => {
    const [innerA, innerB] = [withoutWrappers(original, a), withoutWrappers(patched, b)];
    if (innerA !== a || innerB !== b) return holdsSame(innerA, innerB, depth + 1);
    const [before, after] = [layoutOf(original, a), layoutOf(patched, b)];
    if (before === undefined || after === undefined) return false;
    const text = ({ kind, size, members }: NonNullable<ReturnType<typeof layoutOf>>) =>
      [
        kind,
        size,
        ...members.map(({ name, bitOffset, bitSize, held }) => `${name} ${bitOffset} ${bitSize} ${held}`),
      ].join("\n");
    return text(before) === text(after);
  };

  return (a, b) => holdsSame(a, b, 0);
}

function isComposite(type: BtfType): boolean {
  return type.kind === "struct" || type.kind === "union" || type.kind === "forward";
}

function kindOf(type: BtfType): string {
  return type.kind === "forward" ? type.of : type.kind;
}

function isNumber({ kind }: BtfType): boolean {
  return kind === "int" || kind === "enum";
}

/** Code takes it to be 0 or 1, which another number need not be. */
function isBool({ kind, name }: BtfType): boolean {
  return kind === "int" && (name === "_Bool" || name === "bool");
}

function isVoid(btf: Btf, id: TypeId): boolean {
  return stripAliases(btf, id) === 0;
}
