/**
 * Whether two BTFs lay a type out alike in memory. One is a unit's, as gcc's
 * `-gbtf` writes it, the other a kernel's, as pahole makes it of DWARF: they
 * differ in what no code depends on. pahole makes one array of nested ones,
 * gcc 12 has no sign of an enum's values, and takes an enum that is only
 * declared for a struct; a vector, which BTF has no word for, is nothing to gcc
 * and an array to pahole.
 */
import { corrupt } from "./fault.ts";
import { stripAliases } from "./layout.ts";
import type { Btf, BtfComposite, BtfEnum, BtfType, TypeId } from "./types.ts";

/** Deeper than any compiler nests types without a name in between. */
const MAX_DEPTH = 64;
/** Of one comparison: the largest struct of a kernel takes a thousandth. */
const MAX_STEPS = 1 << 20;

/** Compares a unit's types with a running object's. Each question may throw `BTF_CORRUPT`. */
export interface LayoutComparer {
  /** Kind, size, and every member's name, place and type; types with a name count by that, as they are compared by themselves. */
  composites(unit: BtfComposite, running: BtfComposite): boolean;
  /** Enumerators that both have stand for the same value, and a variable of it takes the same room. */
  enums(unit: BtfEnum, running: BtfEnum): boolean;
  /** What two typedefs stand for. */
  types(unit: TypeId, running: TypeId): boolean;
}

/** Throws `BTF_CORRUPT` where a comparison takes too long. */
export function layoutComparer(unit: Btf, running: Btf): LayoutComparer {
  let steps = 0;

  const step = (depth: number): void => {
    steps += 1;
    if (depth > MAX_DEPTH || steps > MAX_STEPS)
      throw corrupt(unit.name, "its types cannot be compared in bounded time");
  };

  const same = (a: TypeId, b: TypeId, depth: number): boolean => {
    step(depth);
    const x = flattened(unit, a);
    const y = flattened(running, b);
    // A vector, whose room the members behind it and the size of the whole tell.
    if (x.type.kind === "void" && y.count > 1 && y.type.kind !== "void") return true;
    if (x.count !== y.count) return false;
    return sameHeld(x.type, y.type, depth + 1);
  };

  const sameHeld = (a: BtfType, b: BtfType, depth: number): boolean => {
    switch (a.kind) {
      case "struct":
      case "union":
        if (a.name !== "") return isNamed(b, a.name);
        return (b.kind === "struct" || b.kind === "union") && b.name === "" && sameComposites(a, b, depth);
      case "enum":
        if (a.name !== "") return isNamed(b, a.name);
        return b.kind === "enum" && sameEnums(a, b);
      case "forward":
        return isNamed(b, a.name);
      case "int":
        return b.kind === "int" && a.size === b.size && a.bits === b.bits && a.signed === b.signed;
      case "float":
        return b.kind === "float" && a.size === b.size;
      case "pointer":
        return b.kind === "pointer" && same(a.target, b.target, depth);
      default:
        return a.kind === b.kind;
    }
  };

  const sameComposites = (a: BtfComposite, b: BtfComposite, depth: number): boolean => {
    step(depth);
    if (a.kind !== b.kind || a.size !== b.size || a.members.length !== b.members.length) return false;
    return a.members.every((member, i) => {
      const other = b.members[i];
      return (
        other !== undefined &&
        member.name === other.name &&
        member.bitOffset === other.bitOffset &&
        member.bitFieldSize === other.bitFieldSize &&
        same(member.type, other.type, depth)
      );
    });
  };

  const begin = <Arguments extends unknown[]>(compare: (...them: Arguments) => boolean) => {
    return (...them: Arguments): boolean => {
      steps = 0;
      return compare(...them);
    };
  };
  return {
    composites: begin((a: BtfComposite, b: BtfComposite) => sameComposites(a, b, 0)),
    enums: begin(sameEnums),
    types: begin((a: TypeId, b: TypeId) => same(a, b, 0)),
  };
}

/** What an enumerator holds in memory, whatever its sign: 32 bits, since gcc 12 writes no more of a larger one. */
export function heldValue(value: bigint): bigint {
  return BigInt.asUintN(32, value);
}

function sameEnums(a: BtfEnum, b: BtfEnum): boolean {
  if (a.size !== b.size) return false;
  const others = new Map(b.values.map(({ name, value }) => [name, value]));
  return a.values.every(({ name, value }) => {
    const other = others.get(name);
    return other === undefined || heldValue(other) === heldValue(value);
  });
}

function isNamed(type: BtfType, name: string): boolean {
  return type.name === name && ["struct", "union", "enum", "forward"].includes(type.kind);
}

/** A type without typedefs and qualifiers, and how many of it lie there; -1 for an array without a size. */
function flattened(btf: Btf, id: TypeId): { readonly type: BtfType; readonly count: number } {
  let type = btf.type(stripAliases(btf, id));
  let count = -1;
  for (let depth = 0; depth <= MAX_DEPTH; depth++) {
    if (type.kind !== "array") return { type, count };
    count = Math.abs(count) * type.length;
    type = btf.type(stripAliases(btf, type.element));
  }
  throw corrupt(btf.name, `type ${id} stands for itself`);
}
