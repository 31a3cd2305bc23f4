/** Where the members of a struct or union lie. */
import { describeType } from "./describe.ts";
import { corrupt } from "./fault.ts";
import type { Btf, BtfComposite, TypeId } from "./types.ts";

/** One member, or one of a member's own: offsets are counted from the start of the outermost struct, in bits. */
export interface LayoutMember {
  /** Members of a named member of anonymous type are `outer.inner`; of an array of such, `outer[].inner`. */
  readonly name: string;
  readonly bitOffset: number;
  /** 0 for a flexible array. */
  readonly bitSize: number;
  /** As it would be written in C, roughly. */
  readonly type: string;
  /** The same without typedefs and without structs and unions around a single member: what lies there in memory. */
  readonly held: string;
}

/** All that lies in a struct or union, in one list. */
export interface StructLayout {
  readonly kind: "struct" | "union";
  /** Bytes. */
  readonly size: number;
  /** In the order of declaration; anonymous structs and unions are replaced by their members. */
  readonly members: readonly LayoutMember[];
}

/** Deeper than any compiler nests types in each other. */
const MAX_DEPTH = 32;
/** Of one struct with all that is nested in it, or of all the structs that are compared. */
const MAX_MEMBERS = 1 << 18;
const MAX_SIZE = 2 ** 40;

/**
 * The layout of the first struct or union of this name, or of the one that a
 * typedef of this name stands for; undefined where there is none.
 */
export function structLayout(btf: Btf, name: string): StructLayout | undefined {
  for (const id of btf.findByName(name)) {
    const layout = layoutOf(btf, id);
    if (layout !== undefined) return layout;
  }
  return undefined;
}

/** The name of the struct that a variable is one of, `name[]` for an array of it; undefined for other types, and where it is not known. */
export function structOfVariable(btf: Btf | undefined, name: string): string | undefined {
  const [id] = btf?.findByName(name, "variable") ?? [];
  const variable = id === undefined ? undefined : btf?.type(id);
  if (btf === undefined || variable?.kind !== "variable") return undefined;
  const type = btf.type(stripAliases(btf, variable.type));
  const element = type.kind === "array" ? btf.type(stripAliases(btf, type.element)) : type;
  if (element.kind !== "struct" || element.name === "") return undefined;
  return type.kind === "array" ? `${element.name}[]` : element.name;
}

/** How many members may still be laid out, so that no file is at it for long. */
export interface LayoutBudget {
  members: number;
}

/** The layout of one type; undefined if it is not a struct or union. */
export function layoutOf(
  btf: Btf,
  id: TypeId,
  budget: LayoutBudget = { members: MAX_MEMBERS },
): StructLayout | undefined {
  const type = btf.type(stripAliases(btf, id));
  if (type.kind !== "struct" && type.kind !== "union") return undefined;
  const members: LayoutMember[] = [];
  addMembers(type, { prefix: "", bitOffset: 0, depth: 0 }, { btf, members, budget });
  return { kind: type.kind, size: type.size, members };
}

/** Where a struct's members lie in the one that is laid out. */
interface Within {
  readonly prefix: string;
  readonly bitOffset: number;
  readonly depth: number;
}

interface Layouter {
  readonly btf: Btf;
  readonly members: LayoutMember[];
  readonly budget: LayoutBudget;
}

function addMembers(type: BtfComposite, { prefix, bitOffset: base, depth }: Within, layouter: Layouter): void {
  const { btf, members, budget } = layouter;
  if (depth > MAX_DEPTH) throw corrupt(btf.name, "structs are nested in each other without end");
  for (const member of type.members) {
    const bitOffset = base + member.bitOffset;
    const inner = anonymousComposite(btf, member.type);
    if (inner !== undefined && inner.type.members.length > 0) {
      const path = member.name === "" ? prefix : `${prefix}${member.name}${inner.array ? "[]" : ""}.`;
      addMembers(inner.type, { prefix: path, bitOffset, depth: depth + 1 }, layouter);
      if (!inner.array) continue;
    }
    const description = describeType(btf, member.type);
    // Long descriptions count for more, as they take more memory.
    budget.members -= 1 + (description.length >> 6);
    if (budget.members < 0) throw corrupt(btf.name, "its structs have too many members");
    members.push({
      name: prefix + member.name,
      // Old BTF says where a bit field lies in its type, not in the member.
      bitOffset: bitOffset + oldBitOffset(btf, member.type),
      bitSize: member.bitFieldSize || bitSizeOf(btf, member.type),
      type: description,
      held: describeType(btf, withoutWrappers(btf, member.type)),
    });
  }
}

/** The struct or union without a name that `id` is, or is an array of. */
function anonymousComposite(btf: Btf, id: TypeId): { type: BtfComposite; array: boolean } | undefined {
  let array = false;
  let type = btf.type(id);
  for (let depth = 0; depth <= MAX_DEPTH; depth++) {
    if (type.kind === "const" || type.kind === "volatile") type = btf.type(type.target);
    else if (type.kind === "array") {
      array = true;
      type = btf.type(type.element);
    } else break;
  }
  if (type.kind !== "struct" && type.kind !== "union") return undefined;
  return type.name === "" ? { type, array } : undefined;
}

function oldBitOffset(btf: Btf, id: TypeId): number {
  const type = btf.type(stripAliases(btf, id));
  return type.kind === "int" ? type.bitOffset : 0;
}

/** A spinlock_t is a struct around a union around a raw_spinlock, where nothing is debugged: each has the bytes of the last. */
export function withoutWrappers(btf: Btf, id: TypeId): TypeId {
  let at = stripAliases(btf, id);
  for (let depth = 0; depth <= MAX_DEPTH; depth++) {
    const type = btf.type(at);
    if (type.kind !== "struct" && type.kind !== "union") return at;
    const [only, ...more] = type.members;
    const fills = only !== undefined && only.bitOffset === 0 && bitSizeOf(btf, only.type) === 8 * type.size;
    if (!fills || only.bitFieldSize > 0 || more.length > 0) return at;
    at = stripAliases(btf, only.type);
  }
  throw corrupt(btf.name, `type ${id} holds itself`);
}

/** What a type is once typedefs, qualifiers and tags are taken off. */
export function stripAliases(btf: Btf, id: TypeId): TypeId {
  let at = id;
  for (let depth = 0; depth <= MAX_DEPTH; depth++) {
    const type = btf.type(at);
    switch (type.kind) {
      case "typedef":
      case "const":
      case "volatile":
      case "restrict":
      case "type tag":
        at = type.target;
        break;
      default:
        return at;
    }
  }
  throw corrupt(btf.name, `type ${id} stands for itself`);
}

/** Bytes; 0 for void, functions and types that are only declared. */
export function sizeOf(btf: Btf, id: TypeId): number {
  return Math.ceil(bitSizeOf(btf, id) / 8);
}

function bitSizeOf(btf: Btf, id: TypeId): number {
  let length = 1;
  let at = id;
  for (let depth = 0; depth <= MAX_DEPTH; depth++) {
    const type = btf.type(stripAliases(btf, at));
    switch (type.kind) {
      case "array":
        length *= type.length;
        at = type.element;
        continue;
      case "int":
        return bounded(btf, length * (type.bits % 8 === 0 ? 8 * type.size : type.bits));
      case "pointer":
        return bounded(btf, length * 64);
      case "struct":
      case "union":
      case "enum":
      case "float":
        return bounded(btf, length * 8 * type.size);
      default:
        return 0;
    }
  }
  throw corrupt(btf.name, `array ${id} holds itself`);
}

function bounded(btf: Btf, bits: number): number {
  if (bits > MAX_SIZE) throw corrupt(btf.name, "an array is larger than any address space");
  return bits;
}
