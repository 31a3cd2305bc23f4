/** Enumerators that stand for another value than before. */
import type { Btf, BtfEnum } from "./types.ts";

/**
 * One enum that both objects have and in which a name stands for another value, or
 * whose variables take another room.
 */
export interface EnumChange {
  readonly kind: "enum";
  /** Empty for an enum without a name. */
  readonly name: string;
  /** Bytes. */
  readonly size: { readonly original: number; readonly patched: number };
  /** The enumerators that both have and that differ, decimal. */
  readonly values: readonly {
    readonly name: string;
    readonly original: string;
    readonly patched: string;
  }[];
  /** Code compiled before means something else by them. */
  readonly compatible: false;
}

interface Enumerator {
  readonly size: number;
  readonly value: bigint;
}

/**
 * Added and removed enumerators are no change. Those without an enum's name
 * are found by their own. Ids below `from` are the same in both.
 */
export function compareEnums(original: Btf, patched: Btf, from: number): EnumChange[] {
  const counterparts = new Map<string, Enumerator>();
  const known = new Set<string>();
  for (const { name: tag, size, values } of enumsOf(patched, from)) {
    for (const { name, value } of values) {
      counterparts.set(`${tag} ${name}`, { size, value });
      known.add(`${tag} ${name} ${size} ${value}`);
    }
  }
  const changes: EnumChange[] = [];
  for (const type of enumsOf(original, from)) {
    let { size } = type;
    const values: EnumChange["values"][number][] = [];
    for (const { name, value } of type.values) {
      // In two scopes, one name can stand for two values.
      if (known.has(`${type.name} ${name} ${type.size} ${value}`)) continue;
      const other = counterparts.get(`${type.name} ${name}`);
      if (other === undefined) continue;
      size = other.size;
      if (other.value !== value) values.push({ name, original: `${value}`, patched: `${other.value}` });
    }
    if (values.length > 0 || size !== type.size) {
      changes.push({
        kind: "enum",
        name: type.name,
        size: { original: type.size, patched: size },
        values,
        compatible: false,
      });
    }
  }
  return changes;
}

function enumsOf(btf: Btf, from: number): BtfEnum[] {
  const enums: BtfEnum[] = [];
  for (let id = from; id < btf.count; id++) {
    if (btf.kind(id) !== "enum") continue;
    const type = btf.type(id);
    if (type.kind === "enum") enums.push(type);
  }
  return enums;
}
