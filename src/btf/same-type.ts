/** Whether types of two BTFs mean the same, whatever their ids. */
import { corrupt } from "./fault.ts";
import type { Btf, BtfComposite, BtfEnum, BtfPrototype, BtfType, TypeId } from "./types.ts";

/** Deeper than any compiler nests types without a name in between. */
const MAX_DEPTH = 128;
/** A large translation unit takes less than a hundredth of it. */
const MAX_STEPS = 5_000_000;

/** Each of them throws `BTF_CORRUPT` when that takes too long. */
export interface Sameness {
  types(original: TypeId, patched: TypeId): boolean;
  /** Kind, size and members; the names do not count. */
  composites(original: BtfComposite, patched: BtfComposite): boolean;
}

/**
 * Structs, unions, enums and typedefs with a name are the same if the name
 * and kind are, for they are compared by themselves; a struct and its mere
 * declaration are the same. Names of parameters do not count. Ids below
 * `shared` are the same in both.
 */
export function sameTypeIn(original: Btf, patched: Btf, shared: number): Sameness {
  /** By id in `original`: an id in `patched` that is the same. */
  const known = new Uint32Array(original.count);
  let steps = 0;

  const step = (depth: number): void => {
    steps += 1;
    if (depth > MAX_DEPTH || steps > MAX_STEPS) {
      throw corrupt(original.name, "its types cannot be compared in bounded time");
    }
  };

  const same = (a: TypeId, b: TypeId, depth: number): boolean => {
    step(depth);
    if (a === 0 || b === 0) return a === b;
    if (known[a] === b || (a === b && a < shared)) return true;
    const result = sameUnknown(original.type(a), patched.type(b), depth + 1);
    if (result) known[a] = b;
    return result;
  };

  const sameUnknown = (a: BtfType, b: BtfType, depth: number): boolean => {
    if (tagOf(a) !== tagOf(b) || a.name !== b.name) return false;
    switch (a.kind) {
      case "void":
      case "forward":
        return true;
      case "int":
        return b.kind === "int" && a.size === b.size && a.bits === b.bits && a.signed === b.signed;
      case "float":
        return b.kind === "float" && a.size === b.size;
      case "typedef":
        return true;
      case "pointer":
      case "const":
      case "volatile":
      case "restrict":
      case "type tag":
      case "declaration tag":
        return b.kind === a.kind && same(a.target, b.target, depth);
      case "array":
        return b.kind === "array" && a.length === b.length && same(a.element, b.element, depth);
      case "struct":
      case "union":
        return a.name !== "" || ((b.kind === "struct" || b.kind === "union") && sameComposites(a, b, depth));
      case "enum":
        return a.name !== "" || (b.kind === "enum" && sameValues(a, b));
      case "prototype":
        return b.kind === "prototype" && sameParameters(a, b, depth);
      case "function":
        return b.kind === "function" && same(a.prototype, b.prototype, depth);
      case "variable":
        return b.kind === "variable" && same(a.type, b.type, depth);
      case "section":
        return true;
    }
  };

  const sameComposites = (a: BtfComposite, b: BtfComposite, depth: number): boolean => {
    step(depth);
    if (a.kind !== b.kind || a.size !== b.size || a.members.length !== b.members.length) return false;
    return a.members.every((member, i) => {
      const other = b.members[i] as (typeof b.members)[number];
      return (
        member.name === other.name &&
        member.bitOffset === other.bitOffset &&
        member.bitFieldSize === other.bitFieldSize &&
        same(member.type, other.type, depth)
      );
    });
  };

  const sameParameters = (a: BtfPrototype, b: BtfPrototype, depth: number): boolean =>
    a.parameters.length === b.parameters.length &&
    same(a.result, b.result, depth) &&
    a.parameters.every(({ type }, i) => same(type, b.parameters[i]?.type as TypeId, depth));

  return { types: (a, b) => same(a, b, 0), composites: (a, b) => sameComposites(a, b, 0) };
}

function sameValues(a: BtfEnum, b: BtfEnum): boolean {
  return (
    a.size === b.size &&
    a.values.length === b.values.length &&
    a.values.every(({ name, value }, i) => name === b.values[i]?.name && value === b.values[i]?.value)
  );
}

/** The kind, a declared struct being a struct. */
function tagOf(type: BtfType): string {
  return type.kind === "forward" ? type.of : type.kind;
}
