/**
 * A livepatch in force, as the memory of the kernel that runs it shows it: each
 * of its functions is what its file says, with every place told by the running
 * kernel's own symbols, and what runs under the old name leads there.
 */

import type { KernelLayouts } from "../btf/kernel-layouts.ts";
import { SHF } from "../elf/constants.ts";
import type { ElfFile, ElfSection } from "../elf/model.ts";
import type { Words } from "../elf/words.ts";
import type { FuncRecord, PatchMetadata } from "../patch/metadata.ts";
import type { AuditFinding } from "./account.ts";
import { sideOf } from "./compare.ts";
import { plainName } from "./names.ts";
import type { Field, Named, PlainObject } from "./plain-object.ts";
import type { Entry, Tables } from "./tables.ts";

/** Of a kernel that runs. */
export interface KernelMemory {
  /** By name, as /proc/kallsyms lists them: the module that each is in, `vmlinux` for none. */
  symbols(
    names: readonly string[],
  ): Promise<ReadonlyMap<string, readonly { readonly address: bigint; readonly object: string }[]>>;
  /** By name, where the sections of a module lie. */
  sections(module: string): Promise<ReadonlyMap<string, bigint>>;
  read(address: bigint, length: number): Promise<Buffer>;
}

/**
 * Reads the new functions and the entries of the old ones from a kernel in which the
 * transition is complete: each that is not as the file says is a finding,
 * `not-in-effect`. What is filled in for objects that are not loaded is not looked at.
 * Throws what `memory` throws.
 */
export async function memoryFindings(
  file: ElfFile,
  metadata: PatchMetadata,
  layouts: KernelLayouts,
  memory: KernelMemory,
): Promise<AuditFinding[]> {
  const seen = await Seen.open({ file, metadata, layouts, memory });
  return [...(await seen.code()), ...(await seen.redirects())];
}

type Addresses = ReadonlyMap<string, readonly { readonly address: bigint; readonly object: string }[]>;

interface Given {
  readonly file: ElfFile;
  readonly metadata: PatchMetadata;
  readonly layouts: KernelLayouts;
  readonly memory: KernelMemory;
}

class Seen {
  readonly #object: PlainObject;
  readonly #tables: Tables;
  readonly #metadata: PatchMetadata;
  readonly #layouts: KernelLayouts;
  readonly #memory: KernelMemory;
  readonly #sections: ReadonlyMap<string, bigint>;
  readonly #addresses: Addresses;

  private constructor(
    { file, metadata, layouts, memory }: Given,
    sections: ReadonlyMap<string, bigint>,
    addresses: Addresses,
  ) {
    const { object, tables } = sideOf(file, layouts.entrySizes);
    this.#object = object;
    this.#tables = tables;
    this.#metadata = metadata;
    this.#layouts = layouts;
    this.#memory = memory;
    this.#sections = sections;
    this.#addresses = addresses;
  }

  static async open(given: Given): Promise<Seen> {
    const { file, metadata, memory } = given;
    const outside = file.symbols.flatMap(({ name, place }) => (place.kind === "section" ? [] : [boundName(name).name]));
    const running = metadata.objects.flatMap(({ funcs }) => funcs.map(({ name }) => name));
    const names = [...new Set([...outside, ...running, THIS_MODULE])].filter((name) => name !== "");
    const [sections, addresses] = [await memory.sections(metadata.name), await memory.symbols(names)];
    return new Seen(given, sections, addresses);
  }

  /** Functions that are not in memory what the file says. */
  async code(): Promise<AuditFinding[]> {
    const findings: AuditFinding[] = [];
    for (const named of this.#object.named) {
      // The module's init function is gone when it has run.
      if (named.kind !== "function" || /^\.init\./.test(named.section.name)) continue;
      const base = this.#sections.get(named.section.name);
      const what =
        base === undefined
          ? `the kernel does not tell where the section ${named.section.name} of ${this.#metadata.name} lies`
          : await this.#codeReason(named, base);
      if (what !== undefined) findings.push(finding(named.name, named.section, what));
    }
    return findings;
  }

  async #codeReason(named: Named, base: bigint): Promise<string | undefined> {
    const length = named.end - named.start;
    const start = base + BigInt(named.start);
    const found = await this.#memory.read(start, length);
    const wanted = Buffer.from(named.section.data.subarray(named.start, named.end));
    const isOpen = new Uint8Array(length);
    const { arch } = this.#object;
    const { words } = arch.elf;
    for (const field of this.#object.fieldsIn(named.section, named.start, named.end)) {
      const at = field.offset - named.start;
      const places = this.#targets(field);
      if (places === undefined) isOpen.fill(1, at, at + field.size);
      else {
        const values = places.map((place) =>
          arch.elf.isPcRelative(field.type) ? place - (base + BigInt(field.offset)) : place,
        );
        const value = values.find(
          (each) => numberAt(words, found.subarray(at, at + field.size)) === BigInt.asUintN(8 * field.size, each),
        );
        writeNumber(words, wanted.subarray(at, at + field.size), value ?? values[0] ?? 0n);
      }
    }
    for (const [from, to] of rewritten(this.#tables.of(named), named, this.#object)) isOpen.fill(1, from, to);
    for (let i = 0; i < length; i++) {
      if (isOpen[i] === 1 || found[i] === wanted[i]) continue;
      const got = found.subarray(i, i + 8).toString("hex");
      const want = wanted.subarray(i, i + 8).toString("hex");
      return `the new ${named.name} at +0x${i.toString(16)} is ${got} in memory and should be ${want}`;
    }
    return undefined;
  }

  /** Where a field may lead to: undefined where its object is not loaded, several where more than one has the name. */
  #targets(field: Field): bigint[] | undefined {
    const { symbol, filledWith = "vmlinux" } = field;
    const addend = BigInt(field.addend);
    if (filledWith !== "vmlinux" && !this.#isLoaded(filledWith)) return undefined;
    if (symbol.place.kind === "section") {
      const section = this.#object.file.sections[symbol.place.section] as ElfSection;
      const base = this.#sections.get(section.name);
      return base === undefined ? undefined : [base + symbol.value + addend];
    }
    if (symbol.name === "") return [addend];
    const { name, object } = boundName(symbol.name);
    const known = this.#addresses.get(name) ?? [];
    const places = object === undefined ? known : known.filter((each) => each.object === object);
    // Per-CPU and absolute symbols are listed as well; a module's that is not loaded are not.
    if (places.length === 0) return undefined;
    return places.map(({ address }) => address + addend);
  }

  #isLoaded(module: string): boolean {
    return (this.#addresses.get(THIS_MODULE) ?? []).some(({ object }) => object === module);
  }

  /** Patched functions whose entry does not lead to the new code. */
  async redirects(): Promise<AuditFinding[]> {
    const findings: AuditFinding[] = [];
    for (const { name: object, funcs } of this.#metadata.objects) {
      for (const func of funcs) {
        const candidates = (this.#addresses.get(func.name) ?? []).filter((each) => each.object === object);
        if (candidates.length === 0) continue;
        const addresses = candidates.map(({ address }) => address);
        const reason = await this.#redirectReason(func, addresses, object);
        if (reason !== undefined) findings.push({ ...finding(func.name, undefined, reason), source: func.source });
      }
    }
    return findings;
  }

  async #redirectReason(
    { name, newName = name }: FuncRecord,
    candidates: readonly bigint[],
    object: string,
  ): Promise<string | undefined> {
    const news = this.#object.named.filter(
      (each) => each.kind === "function" && plainName(each.name) === plainName(newName),
    );
    const starts = news.flatMap((each) => {
      const base = this.#sections.get(each.section.name);
      return base === undefined ? [] : [base + BigInt(each.start)];
    });
    const olds = await this.#oldFunctions(news);
    for (const address of candidates) {
      const { entryBytes, entryBranch } = this.#object.plainCode;
      const entry = await this.#memory.read(address, entryBytes);
      for (let at = 0; at < entryBytes; at++) {
        const branch = entryBranch(entry, at);
        if (branch?.kind === "jump" && starts.includes(address + BigInt(at + branch.distance))) return undefined;
        if (branch?.kind === "call" && olds.includes(address)) return undefined;
      }
    }
    const exit = await this.#exitOf(object);
    if (exit !== undefined && starts.includes(exit)) return undefined;
    return `nothing at the entry of the running ${name} leads to the new one`;
  }

  /** What the kernel calls when it unloads a module. */
  async #exitOf(module: string): Promise<bigint | undefined> {
    const offset = this.#layouts.structs.module?.offsets["exit"];
    const [place] = (this.#addresses.get(THIS_MODULE) ?? []).filter(({ object }) => object === module);
    if (offset === undefined || place === undefined) return undefined;
    return this.#object.arch.elf.words.u64(await this.#memory.read(place.address + BigInt(offset), 8), 0);
  }

  /** What the kernel has put into the klp_func of each of these: the addresses that it has redirected. */
  async #oldFunctions(news: readonly Named[]): Promise<bigint[]> {
    const offsets = this.#layouts.structs.klp_func?.offsets ?? {};
    const [newOffset, oldOffset] = [offsets["new_func"], offsets["old_func"]];
    if (newOffset === undefined || oldOffset === undefined) return [];
    const found: bigint[] = [];
    for (const section of this.#object.file.sections) {
      const base = this.#sections.get(section.name);
      if (base === undefined || (section.flags & SHF.WRITE) === 0) continue;
      for (const field of this.#object.fieldsIn(section)) {
        const place = this.#object.placeOf(field);
        if (place.kind !== "named" || !news.includes(place.named) || place.offset !== 0) continue;
        const at = base + BigInt(field.offset - newOffset + oldOffset);
        found.push(this.#object.arch.elf.words.u64(await this.#memory.read(at, 8), 0));
      }
    }
    return found;
  }
}

/** A module's own struct module. */
const THIS_MODULE = "__this_module";

function finding(name: string, section: ElfSection | undefined, what: string): AuditFinding {
  return { source: "", kind: "not-in-effect", name, section: section?.name ?? "", what };
}

/** Parts of a function that the kernel itself rewrites when it loads a module, and later. */
function rewritten(
  entries: readonly Entry[],
  named: Named,
  { arch: { code }, plainCode }: PlainObject,
): [from: number, to: number][] {
  return entries.flatMap(({ table, section, end, start, at }): [number, number][] => {
    const instruction = code.decode(named.section.data, named.start + at, named.end)?.length ?? plainCode.patchedBytes;
    switch (table) {
      case ".altinstructions":
        return [[at, at + (section.data[end - 2] ?? 0)]];
      case ".parainstructions":
        return [[at, at + (section.data[start + 9] ?? 0)]];
      case ".smp_locks":
        return [[at, at + 1]];
      case "__bug_table":
      case "__ex_table":
        return [];
      default:
        return [[at, at + instruction]];
    }
  });
}

function boundName(symbol: string): { readonly name: string; readonly object: string | undefined } {
  const match = /^\.klp\.sym\.([^.]+)\.(.+),\d+$/.exec(symbol);
  return match === null
    ? { name: symbol, object: undefined }
    : { name: match[2] as string, object: match[1] as string };
}

function numberAt(words: Words, field: Buffer): bigint {
  return field.length === 8 ? words.u64(field, 0) : BigInt(words.u32(field, 0));
}

function writeNumber(words: Words, field: Buffer, value: bigint): void {
  const bytes = BigInt.asUintN(8 * field.length, value);
  if (field.length === 8) words.setU64(field, 0, bytes);
  else words.setU32(field, 0, Number(bytes));
}
