/** Layouts of the types of a unit whose compiler tells of them by DWARF alone: C++, and other compilers than gcc. */
import { AT, bitOffsetOf, type Entry, readInfo, TAG, type Value } from "../../dwarf/info.ts";
import type { ElfFile } from "../../elf/model.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";

/** What has to stay as it is, a line each: size, bases, members and virtual functions, or values. */
interface Layout {
  readonly isEnum: boolean;
  readonly lines: readonly string[];
}

/** By the type's full name; several where a number tells them apart, as closures, in their order. */
type Layouts = ReadonlyMap<string, readonly Layout[]>;

const CLASSES: readonly number[] = [TAG.CLASS, TAG.STRUCTURE, TAG.UNION];

/**
 * Refusals for types of both sides that have another layout, and for variables that
 * are of another type. Both were compiled with `-g`.
 * @param isState whether a variable of this symbol's name runs, and is not constant
 */
export function classLayoutRefusals(
  source: string,
  original: ElfFile,
  patched: ElfFile,
  isState: (symbol: string) => boolean = () => false,
): Refusal[] {
  const before = layoutsOf(original);
  const after = layoutsOf(patched);
  const retyped = [...before.variables].flatMap(([name, was]) => {
    const is = after.variables.get(name);
    if (is === undefined || is === was || !isState(name)) return [];
    return [
      refusal(
        "DATA_LAYOUT_CHANGED",
        `the variable ${name} is declared as ${is} instead of ${was}; the running one holds what it was`,
        source,
        "leave its type as it is, and keep what is new in a variable of another name, which a pre-patch callback sets up from it",
      ),
    ];
  });
  return [...retyped, ...typeRefusals(source, before.types, after.types)];
}

function typeRefusals(source: string, before: Layouts, after: Layouts): Refusal[] {
  return [...before].flatMap(([name, layouts]) =>
    layouts.flatMap((layout, index) => {
      const now = after.get(name)?.[index];
      const detail = now === undefined ? [] : differences(layout, now);
      if (detail.length === 0) return [];
      return [
        refusal(
          "DATA_LAYOUT_CHANGED",
          `${name} has another layout with the diff (${detail.slice(0, MOST_SHOWN).join("; ")}); what the running program holds has the old one`,
          source,
          "leave the type as it is, and keep the new member in a shadow variable",
        ),
      ];
    }),
  );
}

const MOST_SHOWN = 4;

function differences({ isEnum, lines }: Layout, now: Layout): string[] {
  const lost = lines.filter((line) => !now.lines.includes(line)).map((line) => `no longer: ${line}`);
  // Values may be added to an enumeration.
  if (isEnum) return lost;
  const come = now.lines.filter((line) => !lines.includes(line)).map((line) => `new: ${line}`);
  const detail = [...lost, ...come];
  return detail.length === 0 && lines.join("\n") !== now.lines.join("\n") ? ["another order"] : detail;
}

function layoutsOf(file: ElfFile): { readonly types: Layouts; readonly variables: ReadonlyMap<string, string> } {
  const found = new Map<string, Layout[]>();
  const byOffset = new Map<number, Entry>();
  const names = new Map<Entry, string>();
  const variables = new Map<string, Entry>();
  const collect = (entries: readonly Entry[], scope: string, isInside = false): void => {
    for (const entry of entries) {
      byOffset.set(entry.offset, entry);
      const symbol = entry.attributes.get(AT.LINKAGE_NAME) ?? entry.attributes.get(AT.NAME);
      if (entry.tag === TAG.VARIABLE && !isInside && typeof symbol === "string") variables.set(symbol, entry);
      const own = nameOf(entry);
      const full = own === undefined ? scope : scope === "" ? own : `${scope}::${own}`;
      if (own !== undefined) names.set(entry, full);
      collect(entry.children, isScope(entry) ? full : scope, isInside || entry.tag === TAG.SUBPROGRAM);
    }
  };
  collect(readInfo(file), "");
  const describe = new Describer(byOffset, names);
  for (const [entry, name] of names) {
    const isEnum = entry.tag === TAG.ENUMERATION;
    if (!(isEnum || CLASSES.includes(entry.tag)) || entry.attributes.has(AT.DECLARATION)) continue;
    const lines = isEnum ? enumerators(entry) : describe.members(entry, 0);
    found.set(name, [...(found.get(name) ?? []), { isEnum, lines }]);
  }
  const declared = [...variables].map(
    ([name, { attributes }]) => [name, describe.type(attributes.get(AT.TYPE), 0)] as const,
  );
  return { types: found, variables: new Map(declared) };
}

function isScope({ tag }: Entry): boolean {
  return tag === TAG.NAMESPACE || tag === TAG.SUBPROGRAM || CLASSES.includes(tag);
}

/** gcc gives closures no name, and their constructor this one. */
const CLOSURE = "<lambda>";

function nameOf({ attributes, tag, children }: Entry): string | undefined {
  const linkage = tag === TAG.SUBPROGRAM ? attributes.get(AT.LINKAGE_NAME) : undefined;
  const name = linkage ?? attributes.get(AT.NAME);
  if (typeof name === "string") return name;
  if (CLASSES.includes(tag) && children.some((each) => each.attributes.get(AT.NAME) === CLOSURE)) return CLOSURE;
  return tag === TAG.NAMESPACE ? "(anonymous)" : undefined;
}

function enumerators({ children, attributes }: Entry): string[] {
  const size = `${attributes.get(AT.BYTE_SIZE) ?? "?"} bytes`;
  const values = children.filter(({ tag }) => tag === TAG.ENUMERATOR);
  return [size, ...values.map((each) => `${each.attributes.get(AT.NAME)} = ${each.attributes.get(AT.CONST_VALUE)}`)];
}

const DEEPEST = 32;

class Describer {
  readonly #byOffset: ReadonlyMap<number, Entry>;
  readonly #names: ReadonlyMap<Entry, string>;

  constructor(byOffset: ReadonlyMap<number, Entry>, names: ReadonlyMap<Entry, string>) {
    this.#byOffset = byOffset;
    this.#names = names;
  }

  /** Size, bases, members and virtual functions, in their order. */
  members({ attributes, children }: Entry, depth: number): string[] {
    const lines = [`${attributes.get(AT.BYTE_SIZE) ?? "?"} bytes`];
    for (const child of children) {
      const at = (name: number): Value | undefined => child.attributes.get(name);
      const place = at(AT.MEMBER_LOCATION) ?? 0;
      if (child.tag === TAG.INHERITANCE)
        lines.push(
          `base ${this.type(at(AT.TYPE), depth)} at ${place}${at(AT.VIRTUALITY) === undefined ? "" : ", virtual"}`,
        );
      else if (child.tag === TAG.MEMBER && at(AT.EXTERNAL) === undefined) {
        const bits = at(AT.BIT_SIZE) === undefined ? "" : `, ${at(AT.BIT_SIZE)} bits from ${bitOffsetOf(child)}`;
        lines.push(`${at(AT.NAME) ?? "a member without a name"} at ${place}${bits}: ${this.type(at(AT.TYPE), depth)}`);
      } else if (child.tag === TAG.SUBPROGRAM && at(AT.VIRTUALITY) !== undefined)
        lines.push(`virtual ${at(AT.LINKAGE_NAME) ?? at(AT.NAME)} in slot ${at(AT.VTABLE_ELEM_LOCATION) ?? "?"}`);
    }
    return lines;
  }

  #pointee(reference: Value | undefined, depth = 0): string {
    const entry = typeof reference === "number" ? this.#byOffset.get(reference) : undefined;
    if (entry === undefined) return "void";
    const { tag, attributes } = entry;
    if (depth > DEEPEST) return "...";
    const isAlias = tag === TAG.TYPEDEF || tag === TAG.CONST || tag === TAG.VOLATILE || tag === TAG.ATOMIC;
    if (isAlias) return this.#pointee(attributes.get(AT.TYPE), depth + 1);
    if (tag === TAG.POINTER) return `a pointer to ${this.#pointee(attributes.get(AT.TYPE), depth + 1)}`;
    if (tag === TAG.SUBROUTINE_TYPE) return "a function";
    return this.#names.get(entry) ?? "what has no name";
  }

  type(reference: Value | undefined, depth: number): string {
    const entry = typeof reference === "number" ? this.#byOffset.get(reference) : undefined;
    if (entry === undefined) return "void";
    const { tag, attributes, children } = entry;
    const inner = (): string => (depth > DEEPEST ? "..." : this.type(attributes.get(AT.TYPE), depth + 1));
    switch (tag) {
      // What it leads to is compared by itself, where it has a name.
      case TAG.POINTER:
      case TAG.REFERENCE:
      case TAG.RVALUE_REFERENCE:
        return `a pointer to ${this.#pointee(attributes.get(AT.TYPE))}`;
      case TAG.SUBROUTINE_TYPE:
        return "a function";
      case TAG.TYPEDEF:
      case TAG.CONST:
      case TAG.VOLATILE:
      case TAG.ATOMIC:
        return inner();
      case TAG.ARRAY: {
        const counts = children.map(
          (child) => child.attributes.get(AT.COUNT) ?? child.attributes.get(AT.UPPER_BOUND) ?? "?",
        );
        return `${inner()}[${counts.join("][")}]`;
      }
      case TAG.BASE:
        return `${attributes.get(AT.NAME)}`;
      default: {
        const name = this.#names.get(entry);
        if (name !== undefined) return name;
        return depth > DEEPEST ? "..." : `{ ${this.members(entry, depth + 1).join("; ")} }`;
      }
    }
  }
}
