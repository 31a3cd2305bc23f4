/**
 * What a source diff does to the types of one translation unit: the BTF of
 * the original and of the patched object, compared by name.
 */
import { compareEnums, type EnumChange } from "./compare-enums.ts";
import { describeType } from "./describe.ts";
import { type LayoutBudget, type LayoutMember, layoutOf, sizeOf } from "./layout.ts";
import { type Sameness, sameTypeIn } from "./same-type.ts";
import { sharedTypes } from "./shared-types.ts";
import type { Btf, BtfComposite, TypeId } from "./types.ts";

/** Of all the structs that differ: far more than a header that everything includes changes. */
const MAX_MEMBERS = 1 << 19;

/** A member that only one of the two has, or that is elsewhere, or of another type or size. */
export interface MovedMember {
  readonly member: string;
  readonly original: LayoutMember | undefined;
  readonly patched: LayoutMember | undefined;
}

interface Change {
  /** Of the struct, union, enum or typedef. */
  readonly name: string;
  /** Bytes. */
  readonly size: { readonly original: number; readonly patched: number };
  /**
   * Code compiled with the original's layout finds everything where it was:
   * members were only renamed, or put where there was a hole.
   */
  readonly compatible: boolean;
}

/** One struct or union whose members do not lie where they did, or are of other types. */
export interface CompositeChange extends Change {
  readonly kind: "struct" | "union";
  /** In the order of the original's declaration; then those that only the patched one has. */
  readonly moved: readonly MovedMember[];
}

/** A typedef that stands for another type. */
export interface TypedefChange extends Change {
  readonly kind: "typedef";
  readonly type: { readonly original: string; readonly patched: string };
}

/** One type that both objects have under one name, and that is not the same in both. */
export type LayoutChange = CompositeChange | EnumChange | TypedefChange;

/**
 * Every type that both have and that differs, in the original's order, enums
 * last. A type that only one of them has is no change: compilers emit the
 * types in use. A struct without a name goes by its typedef's.
 */
export function compareLayouts(original: Btf, patched: Btf): LayoutChange[] {
  const shared = sharedTypes(original, patched);
  const same = sameTypeIn(original, patched, shared);
  const counterparts = definitions(patched, shared);
  const changes: LayoutChange[] = [];
  const budget: LayoutBudget = { members: MAX_MEMBERS };
  for (const [key, before] of definitions(original, shared)) {
    const after = counterparts.get(key) ?? [];
    // In two scopes, one name can stand for two types.
    const gone = before.filter((a) => !after.some((b) => sameDefinition(a, b, same)));
    const added = after.filter((b) => !before.some((a) => sameDefinition(a, b, same)));
    for (const [i, a] of gone.entries()) {
      const b = added[i];
      const change = b === undefined ? undefined : changeOf({ btf: original, of: a }, { btf: patched, of: b }, budget);
      if (change !== undefined) changes.push(change);
    }
  }
  return [...changes, ...compareEnums(original, patched, shared)];
}

/** Whether the running kernel, or the module whose BTF it is, has a type of the change's name and kind. */
export function existsIn(kernel: Btf, change: LayoutChange): boolean {
  if (change.name === "") {
    const names = new Set(change.kind === "enum" ? change.values.map(({ name }) => name) : []);
    return kernel.findByName("", "enum").some((id) => {
      const type = kernel.type(id);
      return type.kind === "enum" && type.values.some(({ name }) => names.has(name));
    });
  }
  return kernel.findByName(change.name, change.kind).length > 0 || kernel.findByName(change.name, "typedef").length > 0;
}

interface Definition {
  readonly id: TypeId;
  readonly name: string;
  /** What it lays out; undefined for a typedef of anything else. */
  readonly composite: BtfComposite | undefined;
  readonly target: TypeId;
}

/** Of the ids from `from` on, by name; C keeps the names of structs and unions apart from those of typedefs. */
function definitions(btf: Btf, from: number): Map<string, Definition[]> {
  const byName = new Map<string, Definition[]>();
  for (let i = from; i < btf.count; i++) {
    const id = i as TypeId;
    const definition = definitionOf(btf, id);
    if (definition === undefined) continue;
    const key = `${btf.kind(id) === "typedef" ? "" : "struct "}${definition.name}`;
    const known = byName.get(key);
    if (known === undefined) byName.set(key, [definition]);
    else known.push(definition);
  }
  return byName;
}

function definitionOf(btf: Btf, id: TypeId): Definition | undefined {
  const kind = btf.kind(id);
  if (kind !== "struct" && kind !== "union" && kind !== "typedef") return undefined;
  const type = btf.type(id);
  if (type.name === "") return undefined;
  if (type.kind === "struct" || type.kind === "union") {
    return { id, name: type.name, composite: type, target: id };
  }
  if (type.kind !== "typedef") return undefined;
  const target = btf.type(type.target);
  if (target.name !== "") {
    return { id, name: type.name, composite: undefined, target: type.target };
  }
  // The values of enums are compared by themselves.
  if (target.kind === "enum") return undefined;
  const composite = target.kind === "struct" || target.kind === "union" ? target : undefined;
  return { id, name: type.name, composite, target: type.target };
}

function sameDefinition(a: Definition, b: Definition, same: Sameness): boolean {
  if (a.composite !== undefined && b.composite !== undefined) return same.composites(a.composite, b.composite);
  return same.types(a.target, b.target);
}

interface Side {
  readonly btf: Btf;
  readonly of: Definition;
}

function changeOf(
  { btf: original, of: a }: Side,
  { btf: patched, of: b }: Side,
  budget: LayoutBudget,
): LayoutChange | undefined {
  const before = a.composite && layoutOf(original, a.target, budget);
  const after = b.composite && layoutOf(patched, b.target, budget);
  const { name } = a;
  if (before === undefined || after === undefined) {
    return {
      kind: "typedef",
      name,
      size: { original: sizeOf(original, a.target), patched: sizeOf(patched, b.target) },
      type: {
        original: describeType(original, a.target),
        patched: describeType(patched, b.target),
      },
      compatible: false,
    };
  }
  const { kind } = before;
  const size = { original: before.size, patched: after.size };
  const moved = movedMembers(before.members, after.members);
  const sameOutside = kind === after.kind && size.original === size.patched;
  if (sameOutside && moved.length === 0) return undefined;
  return { kind, name, size, moved, compatible: sameOutside && staysReadable(moved) };
}

function movedMembers(original: readonly LayoutMember[], patched: readonly LayoutMember[]): MovedMember[] {
  const others = new Map(patched.map((member) => [member.name, member]));
  const moved: MovedMember[] = [];
  for (const member of original) {
    const other = others.get(member.name);
    others.delete(member.name);
    if (other === undefined || !samePlace(member, other)) {
      moved.push({ member: member.name, original: member, patched: other });
    }
  }
  for (const other of others.values()) {
    moved.push({ member: other.name, original: undefined, patched: other });
  }
  return moved;
}

/** Each member is new, or one of the new ones has taken its place: it was renamed. */
function staysReadable(moved: readonly MovedMember[]): boolean {
  const taken = new Set(moved.flatMap(({ original, patched }) => (original ? [] : [placeOf(patched)])));
  return moved.every(({ original, patched }) => !original || (!patched && taken.has(placeOf(original))));
}

function samePlace(a: LayoutMember, b: LayoutMember): boolean {
  return a.bitOffset === b.bitOffset && a.bitSize === b.bitSize && a.held === b.held;
}

function placeOf(member: LayoutMember | undefined): string {
  return `${member?.bitOffset} ${member?.bitSize} ${member?.held}`;
}
