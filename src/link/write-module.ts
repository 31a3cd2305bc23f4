/** From the finished image to the file. Source of the livepatch parts: Documentation/livepatch/module-elf-format. */
import type { ElfAbi } from "../arch/elf-abi.ts";
import { SHF, SHN, STB, STT, STV } from "../elf/constants.ts";
import {
  addRelocations,
  addSection,
  addSymbol,
  type DataSection,
  type DraftRelocation,
  type DraftSymbol,
  type ElfDraft,
  newRelocatable,
} from "../elf/draft.ts";
import { writeElf } from "../elf/write.ts";
import { DIGEST_SECTION, DIGEST_SIZE, sealed } from "../patch/digest.ts";
import { METADATA_SECTION } from "../patch/metadata.ts";
import type { Field, FieldTarget, Image, OutputSection } from "./image.ts";
import type { Origin, ProgramOrigin } from "./input.ts";

/**
 * A relocatable file. With `metadata` it has these and is sealed (patch/digest.ts);
 * without, it is the object alone.
 */
export function writeModule(image: Image, metadata: Buffer | undefined): Buffer {
  const { elf } = image.arch;
  const draft = newRelocatable(elf.machine, elf.words.endian, "livepatch");
  const sections = new Map<OutputSection, DataSection>();
  for (const section of image.sections.values()) {
    if (section.size === 0) continue;
    const { name, type, flags, alignment, entrySize, size } = section;
    sections.set(section, addSection(draft, { name, type, flags, alignment, entrySize, size, data: section.data() }));
  }
  if (metadata !== undefined) {
    addSection(draft, { name: METADATA_SECTION, data: metadata, size: metadata.length });
    addSection(draft, { name: DIGEST_SECTION, data: Buffer.alloc(DIGEST_SIZE), size: DIGEST_SIZE });
  }
  addSection(draft, { name: ".note.GNU-stack" });
  const symbols = new Symbols(draft, sections, elf);
  symbols.define(image);
  for (const [section, drafted] of sections) writeRelocations(draft, section, drafted, symbols);
  const file = writeElf(draft);
  return metadata === undefined ? file : sealed(file);
}

function writeRelocations(draft: ElfDraft, section: OutputSection, target: DataSection, symbols: Symbols): void {
  const plain: DraftRelocation[] = [];
  const byObject = new Map<string, DraftRelocation[]>();
  for (const field of section.fields) {
    const relocation = symbols.relocation(field);
    const object = bindingObject(field);
    if (object === undefined) plain.push(relocation);
    else byObject.set(object, [...(byObject.get(object) ?? []), relocation]);
  }
  if (plain.length > 0) addRelocations(draft, { target, relocations: plain });
  for (const [object, relocations] of [...byObject].sort(([a], [b]) => (a < b ? -1 : 1))) {
    addRelocations(draft, {
      name: `.klp.rela.${object}.${section.name}`,
      target,
      relocations,
      flags: SHF.ALLOC | SHF.INFO_LINK | SHF.RELA_LIVEPATCH,
    });
  }
}

/** What the kernel itself has is bound at load, and what modules have when the patched object is there. */
function bindingObject({ target }: Field): string | undefined {
  if (target.kind !== "origin" || target.origin.kind === "exported") return undefined;
  return target.origin.object === "vmlinux" ? "vmlinux" : target.waitsFor;
}

class Symbols {
  readonly #draft: ElfDraft;
  readonly #elf: ElfAbi;
  readonly #sections: ReadonlyMap<OutputSection, DataSection>;
  readonly #ofSection = new Map<OutputSection, DraftSymbol>();
  readonly #undefined = new Map<string, DraftSymbol>();

  constructor(draft: ElfDraft, sections: ReadonlyMap<OutputSection, DataSection>, elf: ElfAbi) {
    this.#elf = elf;
    this.#draft = draft;
    this.#sections = sections;
  }

  define(image: Image): void {
    for (const [section, place] of this.#sections)
      this.#ofSection.set(section, addSymbol(this.#draft, { name: "", type: STT.SECTION, place }));
    for (const symbol of image.symbols) {
      const place = this.#sections.get(symbol.section);
      if (place === undefined) continue;
      addSymbol(this.#draft, {
        name: symbol.name,
        value: BigInt(symbol.value),
        size: BigInt(symbol.size),
        type: symbol.type,
        binding: symbol.isGlobal ? STB.GLOBAL : STB.LOCAL,
        place,
      });
    }
  }

  relocation({ offset, type, target, addend }: Field): DraftRelocation {
    if (this.#elf.isBySlot(type) && target.kind === "section")
      return { offset, type, symbol: this.#exactly(target), addend: BigInt(addend) };
    return { offset, type, symbol: this.#symbol(target), addend: BigInt(addend + constantPart(target)) };
  }

  /** What a slot is to hold has to be told by the symbol alone. */
  #exactly({ section, offset }: FieldTarget & { readonly kind: "section" }): DraftSymbol | undefined {
    const place = this.#sections.get(section);
    const value = BigInt(offset);
    return place && this.#named(`${section.name}+${offset}`, () => addSymbol(this.#draft, { name: "", value, place }));
  }

  #symbol(target: FieldTarget): DraftSymbol | undefined {
    switch (target.kind) {
      case "section":
        return this.#ofSection.get(target.section);
      case "origin":
        return this.#origin(target.origin);
      case "nothing":
        return this.#named(target.name, () => addSymbol(this.#draft, { name: target.name, binding: STB.WEAK }));
      case "absolute":
        return undefined;
    }
  }

  #origin(origin: Origin): DraftSymbol {
    if (origin.kind === "exported")
      return this.#named(origin.name, () => addSymbol(this.#draft, { name: origin.name, binding: STB.GLOBAL }));
    const name = `.klp.sym.${origin.object}.${origin.name},${origin.sympos}`;
    const place = { kind: "reserved", value: SHN.LIVEPATCH } as const;
    const program = origin.kind === "program" ? origin : undefined;
    const binding = program?.isWeak ? STB.WEAK : STB.GLOBAL;
    const visibility = program?.isDirect ? STV.PROTECTED : STV.DEFAULT;
    return this.#named(`${name} ${binding} ${visibility}`, () =>
      addSymbol(this.#draft, {
        name,
        binding,
        visibility,
        place,
        ...(program === undefined ? {} : inProgram(program)),
      }),
    );
  }

  #named(name: string, make: () => DraftSymbol): DraftSymbol {
    let symbol = this.#undefined.get(name);
    if (symbol === undefined) {
      symbol = make();
      this.#undefined.set(name, symbol);
    }
    return symbol;
  }
}

/** Programs are shipped without their symbols, so that the livepatch says itself where each lies. */
function inProgram({ address, size, type }: ProgramOrigin): Partial<DraftSymbol> {
  const symbol = { size: BigInt(size), type: TYPES[type] };
  return address === undefined ? { ...symbol, place: { kind: "undefined" } } : { ...symbol, value: BigInt(address) };
}

const TYPES = { function: STT.FUNC, variable: STT.OBJECT, thread: STT.TLS } as const;

function constantPart(target: FieldTarget): number {
  if (target.kind === "section") return target.offset;
  if (target.kind === "origin") return target.offset ?? 0;
  return target.kind === "absolute" ? target.value : 0;
}
