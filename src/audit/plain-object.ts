/** An object file as the plain comparer sees it: symbols that cover bytes, and relocated fields, and nothing that is derived from them. */
import type { Arch } from "../arch/arch.ts";
import type { PlainCode } from "../arch/plain-code.ts";
import { archOf, plainCodeOf } from "../arch/registry.ts";
import { SHF, SHT, STB, STT } from "../elf/constants.ts";
import type { ElfFile, ElfSection, ElfSymbol } from "../elf/model.ts";
import { relocationsOf } from "../elf/relocations.ts";

/** A function or a variable. Offsets are within its section, half-open. */
export interface Named {
  readonly name: string;
  readonly kind: "function" | "object";
  readonly section: ElfSection;
  readonly start: number;
  readonly end: number;
  readonly isGlobal: boolean;
}

/** A relocated field of a section. */
export interface Field {
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  /** R_*, a number of the machine's own. */
  readonly type: number;
  readonly symbol: ElfSymbol;
  readonly addend: number;
  /** In a livepatch: the object with which the kernel fills it in, which may come later than the livepatch. */
  readonly filledWith?: string;
}

/** What a field leads to. */
export type Place =
  | {
      readonly kind: "named";
      readonly named: Named;
      readonly offset: number;
      readonly mayBeEmpty: boolean;
    }
  /** Bytes that no symbol covers: a string, a constant, a piece of code. */
  | {
      readonly kind: "anonymous";
      readonly section: ElfSection;
      readonly offset: number;
      /** Something that has a name and no bytes begins there as well (lock class keys where locks are not watched): the two cannot be told apart. */
      readonly mayBeEmpty: boolean;
    }
  /** Something that this object does not define. */
  | { readonly kind: "elsewhere"; readonly name: string; readonly offset: number };

/**
 * Reads nothing but symbols and relocations, so that a fault of the object diff's own
 * model is not the audit's as well.
 */
export class PlainObject {
  readonly file: ElfFile;
  /** That the file is for. */
  readonly arch: Arch;
  readonly plainCode: PlainCode;
  readonly named: readonly Named[];
  readonly #bySection = new Map<number, Named[]>();
  /** `SECTION OFFSET` of variables without bytes. */
  readonly #empty = new Set<string>();
  readonly #emptyNames = new Set<string>();
  readonly #fields = new Map<number, Field[]>();
  /** Offsets in each section that something refers to, ascending. */
  #referred: ReadonlyMap<number, readonly number[]> | undefined;

  constructor(file: ElfFile) {
    this.file = file;
    this.arch = archOf(file);
    this.plainCode = plainCodeOf(this.arch, file.name);
    this.named = namedOf(file);
    for (const { name, type, place, size, value } of file.symbols) {
      if (type !== STT.OBJECT || place.kind !== "section" || size !== 0n) continue;
      this.#empty.add(`${place.section} ${value}`);
      this.#emptyNames.add(name);
    }
    for (const each of this.named) {
      const list = this.#bySection.get(each.section.index);
      if (list === undefined) this.#bySection.set(each.section.index, [each]);
      else list.push(each);
    }
    for (const section of file.sections) {
      if (section.type !== SHT.RELA) continue;
      const fields = this.#fields.get(section.info) ?? [];
      const filledWith = /^\.klp\.rela\.([^.]+)\./.exec(section.name)?.[1];
      for (const { offset, type, symbol, addend } of relocationsOf(file, section)) {
        const size = this.arch.elf.relocationSize(type);
        const to = file.symbols[symbol];
        if (size !== undefined && to !== undefined)
          fields.push({
            offset,
            size,
            type,
            symbol: to,
            addend: Number(addend),
            ...(filledWith === undefined ? {} : { filledWith }),
          });
      }
      this.#fields.set(section.info, fields);
    }
    for (const symbol of file.symbols) {
      if (!isBtfId(file, symbol) || symbol.place.kind !== "section") continue;
      const { section } = symbol.place;
      const what = { ...symbol, name: symbol.name.replace(/__\d+$/, ""), place: { kind: "undefined" } } as const;
      const field = { offset: Number(symbol.value), size: BTF_ID_BYTES, type: 0, symbol: what, addend: 0 };
      this.#fields.set(section, [...(this.#fields.get(section) ?? []), field]);
    }
    for (const fields of this.#fields.values()) fields.sort((a, b) => a.offset - b.offset);
  }

  /** Whether a variable without bytes has this name. */
  hasEmpty(name: string): boolean {
    return this.#emptyNames.has(name);
  }

  /** By offset. */
  fieldsIn(section: ElfSection, start = 0, end = section.size): Field[] {
    const all = this.#fields.get(section.index) ?? [];
    const found: Field[] = [];
    for (let i = firstFrom(all, start); i < all.length && (all[i] as Field).offset < end; i++)
      found.push(all[i] as Field);
    return found;
  }

  covering(section: ElfSection, offset: number): Named | undefined {
    const all = this.#bySection.get(section.index) ?? [];
    let low = 0;
    let high = all.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((all[middle] as Named).start <= offset) low = middle + 1;
      else high = middle;
    }
    const found = all[low - 1];
    return found !== undefined && offset < found.end ? found : undefined;
  }

  /** @param adjust what lies between the field and the place that a relative one counts from */
  placeOf(field: Field, adjust = 0): Place {
    const { symbol } = field;
    const offset = field.addend + adjust;
    if (symbol.place.kind !== "section") return { kind: "elsewhere", name: symbol.name, offset };
    const section = this.file.sections[symbol.place.section] as ElfSection;
    const named = symbol.type === STT.OBJECT ? this.covering(section, Number(symbol.value)) : undefined;
    // What is counted from a variable is that variable's, also its end, where another one begins.
    if (named?.name === symbol.name && (offset < 0 || offset >= named.end - named.start))
      return { kind: "named", named, offset, mayBeEmpty: false };
    return this.placeAt(section, Number(symbol.value) + offset);
  }

  placeAt(section: ElfSection, offset: number): Place {
    const named = this.covering(section, offset);
    const mayBeEmpty = this.#empty.has(`${section.index} ${offset}`);
    return named === undefined
      ? { kind: "anonymous", section, offset, mayBeEmpty }
      : { kind: "named", named, offset: offset - named.start, mayBeEmpty };
  }

  /** The last thing that ends at `offset` or before it. */
  lastBefore(section: ElfSection, offset: number): Named | undefined {
    return (this.#bySection.get(section.index) ?? []).findLast(({ end }) => end <= offset);
  }

  /** The first thing that begins behind `offset`. */
  nextAfter(section: ElfSection, offset: number): Named | undefined {
    return (this.#bySection.get(section.index) ?? []).find(({ start }) => start > offset);
  }

  /** Where the bytes that begin at `offset` and have no symbol end: at the next thing that is named or referred to, and not inside of an address. */
  anonymousEnd(section: ElfSection, offset: number): number {
    this.#referred ??= this.#referredPlaces();
    const named = (this.#bySection.get(section.index) ?? []).find(({ start }) => start > offset)?.start;
    const referred = (this.#referred.get(section.index) ?? []).find((each) => each > offset);
    const end = Math.min(named ?? section.size, referred ?? section.size, section.size);
    const last = this.fieldsIn(section, offset, end).at(-1);
    return Math.max(end, last === undefined ? 0 : last.offset + last.size);
  }

  #referredPlaces(): ReadonlyMap<number, readonly number[]> {
    const places = new Map<number, Set<number>>();
    for (const fields of this.#fields.values()) {
      for (const { symbol, addend, type } of fields) {
        if (symbol.place.kind !== "section") continue;
        const at = Number(symbol.value) + addend;
        const list = places.get(symbol.place.section) ?? new Set();
        places.set(symbol.place.section, list.add(at));
        // A relative field of code counts from its end, four bytes on.
        if (this.arch.elf.isPcRelative(type)) list.add(at + 4);
      }
    }
    return new Map([...places].map(([section, list]) => [section, [...list].sort((a, b) => a - b)]));
  }
}

/** Whether what lies there changes as the program runs: what is only relocated when it starts does not. */
export function isWritable({ name, flags }: ElfSection): boolean {
  return (flags & SHF.WRITE) !== 0 && !name.startsWith(".data.rel.ro") && name !== "__tracepoint_str";
}

/** By its flags, not its name: what can be executed. */
export function isCode({ flags }: ElfSection): boolean {
  return (flags & SHF.EXECINSTR) !== 0;
}

/**
 * Whether the linker may put equal strings of it together, so that only what a string
 * says counts, and not where it lies.
 */
export function isStrings({ flags }: ElfSection): boolean {
  return (flags & SHF.STRINGS) !== 0 && (flags & SHF.MERGE) !== 0;
}

/** What labels of the assembler begin with, and, in a livepatch, functions that the kernel is to take for a part of the one before. */
const UNSEEN = ".L";

function seenName(name: string): string {
  return name.startsWith(UNSEEN) ? name.slice(UNSEEN.length) : name;
}

/** What the kernel's macros call things beside the names that they have in the source: a module's two functions, and its tables of devices. */
const SECOND_NAME = /^(init_module|cleanup_module|__mod_\w+_device_table)$/;

/** A number that is filled in when the kernel is linked, by the name of the type or function at it: as good as an address. */
function isBtfId(file: ElfFile, { name, place }: ElfSymbol): boolean {
  return (
    place.kind === "section" &&
    file.sections[place.section]?.name === ".BTF_ids" &&
    /^__BTF_ID__(?!set8?__).+__\d+$/.test(name)
  );
}

const BTF_ID_BYTES = 4;

/** Labels of the assembler's are none. A symbol of no size ends where the next one begins. Of several for the same bytes the first by name stands for all, but for those that macros add. */
function namedOf(file: ElfFile): Named[] {
  const starts: { symbol: ElfSymbol; section: ElfSection; kind: Named["kind"] }[] = [];
  for (const symbol of file.symbols) {
    if (symbol.place.kind !== "section" || symbol.type === STT.SECTION || symbol.type === STT.FILE) continue;
    const section = file.sections[symbol.place.section] as ElfSection;
    const kind = symbol.type === STT.FUNC || symbol.type === STT.GNU_IFUNC ? "function" : "object";
    const isLabel = symbol.type === STT.NOTYPE && symbol.size === 0n;
    if (
      symbol.name === "" ||
      isBtfId(file, symbol) ||
      (symbol.name.startsWith(UNSEEN) && kind === "object") ||
      (section.flags & SHF.ALLOC) === 0 ||
      (isLabel && isInFunction(file, symbol))
    )
      continue;
    if (symbol.type === STT.OBJECT && symbol.size === 0n) continue;
    starts.push({ symbol, section, kind });
  }
  starts.sort(
    (a, b) =>
      a.section.index - b.section.index ||
      Number(a.symbol.value - b.symbol.value) ||
      Number(b.symbol.size - a.symbol.size) ||
      Number(SECOND_NAME.test(a.symbol.name)) - Number(SECOND_NAME.test(b.symbol.name)) ||
      (a.symbol.name < b.symbol.name ? -1 : 1),
  );
  const named: Named[] = [];
  for (const [i, { symbol, section, kind }] of starts.entries()) {
    const start = Number(symbol.value);
    const before = named.at(-1);
    if (before !== undefined && before.section === section && start < before.end) continue;
    const next = starts
      .slice(i + 1, i + 64)
      .find((each) => each.section !== section || Number(each.symbol.value) > start);
    const limit = next === undefined || next.section !== section ? section.size : Number(next.symbol.value);
    const end = symbol.size === 0n ? limit : start + Number(symbol.size);
    named.push({ name: seenName(symbol.name), kind, section, start, end, isGlobal: symbol.binding !== STB.LOCAL });
  }
  return named;
}

function isInFunction(file: ElfFile, label: ElfSymbol): boolean {
  if (label.place.kind !== "section") return false;
  const { section } = label.place;
  return file.symbols.some(
    ({ type, place, value, size }) =>
      type === STT.FUNC &&
      place.kind === "section" &&
      place.section === section &&
      value <= label.value &&
      label.value < value + size,
  );
}

function firstFrom(fields: readonly Field[], offset: number): number {
  let low = 0;
  let high = fields.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((fields[middle] as Field).offset < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
