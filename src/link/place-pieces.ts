/** Gives every piece its place in the livepatch, and says what its fields refer to there. */

import type { Destination, Piece, SelectedReference } from "../diff/selection.ts";
import { type Atom, isCode, nameOffset, type TableEntry } from "../diff/unit.ts";
import { SHF, SHT, STT } from "../elf/constants.ts";
import type { RefusalCode } from "../lib/codes.ts";
import { SHADOWS_SECTION } from "../patch/program-metadata.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import type { FieldTarget, Image, OutputSection } from "./image.ts";
import type { BoundUnit } from "./input.ts";
import { PER_CPU } from "./load-limits.ts";
import { STATES_SECTION } from "./states.ts";

/** Where a piece begins in the livepatch: `offset` is in bytes from its section's start. */
export interface Placement {
  readonly section: OutputSection;
  readonly offset: number;
}

/** Sections that the module loader, the kernel, or our own loader knows by name. */
const KEPT = new Set([
  ".data..ro_after_init",
  "__dyndbg",
  "__trace_printk_fmt",
  ".altinstr_replacement",
  STATES_SECTION,
  SHADOWS_SECTION,
]);

function outputSection(atom: Atom, image: Image): OutputSection {
  const { section } = atom;
  const flags = section.flags & (SHF.ALLOC | SHF.WRITE | SHF.EXECINSTR);
  // What code that is built in has beside it, ..read_mostly and the like, is one section in modules.
  if (section.name.startsWith(PER_CPU)) return image.section(PER_CPU, flags, SHT.PROGBITS);
  if (KEPT.has(section.name)) return image.section(section.name, flags, section.type);
  if (isCode(atom)) return image.text();
  if (section.type === SHT.NOBITS) return image.section(".bss", SHF.ALLOC | SHF.WRITE, SHT.NOBITS);
  return atom.kind === "constant" ? image.constants() : image.variables();
}

/** What the kernel takes for no symbol begins so (kernel/module/kallsyms.c); the name behind it is for who reads the file. */
const UNSEEN = ".L";

const NOTHING: ReadonlyMap<Atom, readonly Atom[]> = new Map();

/** Lays out the pieces of one unit. @param behind what has to lie right behind a function, as if it were a part of it */
export function placePieces(pieces: readonly Piece[], image: Image, behind = NOTHING): Map<Atom, Placement> {
  const placements = new Map<Atom, Placement>();
  const parts = new Set([...behind.values()].flat());
  const atoms = pieces.map(({ atom }) => atom).filter((atom) => !parts.has(atom));
  for (const atom of atoms.flatMap((each) => [each, ...(behind.get(each) ?? [])])) {
    const section = outputSection(atom, image);
    const size = atom.end - atom.start;
    const { alignment } = atom.section;
    const offset = section.append(atom.data, size, alignment, atom.start % alignment);
    placements.set(atom, { section, offset });
    for (const symbol of atom.symbols) {
      image.symbols.push({
        name: parts.has(atom) ? `${UNSEEN}${symbol.name}` : symbol.name,
        section,
        value: offset + symbol.value - atom.start,
        size: symbol.size,
        type: symbol.type === STT.FUNC ? STT.FUNC : STT.OBJECT,
        isGlobal: false,
      });
    }
  }
  return placements;
}

/** From what `Binder.target` gives for a destination to the place that is meant. */
export function offsetOf(destination: Destination): number {
  switch (destination.kind) {
    case "absolute":
      return 0;
    case "original":
      return destination.offset - nameOffset(destination.atom);
    default:
      return destination.offset;
  }
}

/** Fills in the fields of one unit's pieces. */
export class Binder {
  readonly #refusals = new Map<string, Refusal>();
  readonly #unit: BoundUnit;
  readonly #image: Image;
  readonly #placements: ReadonlyMap<Atom, Placement>;
  /** What other units of the livepatch define anew, by name. */
  readonly #others: ReadonlyMap<string, FieldTarget>;
  readonly #entries = new Map<TableEntry, Placement>();

  constructor(
    unit: BoundUnit,
    image: Image,
    placements: ReadonlyMap<Atom, Placement>,
    others: ReadonlyMap<string, FieldTarget>,
  ) {
    this.#unit = unit;
    this.#image = image;
    this.#placements = placements;
    this.#others = others;
  }

  /** What could not be bound until now, each once. */
  get refusals(): readonly Refusal[] {
    return [...this.#refusals.values()];
  }

  /** To be told before what refers to the entry is bound. */
  place(entry: TableEntry, placement: Placement): void {
    this.#entries.set(entry, placement);
  }

  bind(references: readonly SelectedReference[], section: OutputSection, base: number): void {
    for (const { offset, type, destination, adjust, isBranch } of references) {
      const target = this.#running(destination, section) ?? this.target(destination);
      if (target === undefined) continue;
      if (!isBranch) this.#refuseSealed(destination);
      const from = offsetOf(destination);
      if (this.#image.arch.elf.isBySlot(type) && target.kind === "section") {
        const place = { ...target, offset: target.offset + from };
        section.fields.push({ offset: base + offset, type, target: place, addend: -adjust });
      } else section.fields.push({ offset: base + offset, type, target, addend: from - adjust });
    }
  }

  /** What code refers to and the running object has as it is: an address of that outlives the livepatch. */
  #running(destination: Destination, from: OutputSection): FieldTarget | undefined {
    if (destination.kind !== "literal" || (from.flags & SHF.EXECINSTR) === 0) return undefined;
    const found = this.#unit.literal?.(destination.literal);
    return found === undefined ? undefined : { kind: "origin", waitsFor: this.#unit.object, ...found };
  }

  target(destination: Destination): FieldTarget | undefined {
    switch (destination.kind) {
      case "piece": {
        const placement = this.#placements.get(destination.atom);
        return placement === undefined ? undefined : { kind: "section", ...placement };
      }
      case "literal":
        return this.#image.literal(destination.literal.bytes, destination.literal.alignment);
      case "absolute":
        return { kind: "absolute", value: destination.value };
      case "entry":
        return this.#entry(destination.entry);
      case "original":
        return this.#original(destination.atom);
      case "external":
        return this.#external(destination.name, destination.weak);
    }
  }

  #refuseSealed(destination: Destination): void {
    const found =
      destination.kind === "original"
        ? this.#unit.locate(destination.atom)
        : destination.kind === "external" && !this.#others.has(destination.name)
          ? this.#unit.external(destination.name)
          : undefined;
    if (found?.isSealed !== true) return;
    this.#refuse(
      "FUNCTION_SEALED",
      `the address of ${found.origin.name} is taken, and the kernel has sealed that function against calls through a pointer`,
      "write a new function that calls it, and take that one's address",
    );
  }

  #entry(entry: TableEntry): FieldTarget | undefined {
    const placement = this.#entries.get(entry);
    if (placement !== undefined) return { kind: "section", ...placement };
    return this.#refuse(
      "SECTION_NOT_KNOWN",
      `${entry.owner.name} refers to what ${entry.table.name} says of it, and the livepatch has no such entry`,
      "leave out what puts it there, or change other code",
    );
  }

  #original(atom: Atom): FieldTarget | undefined {
    const origin = this.#unit.locate(atom)?.origin;
    if (origin !== undefined) return { kind: "origin", origin, waitsFor: this.#unit.object };
    return this.#refuse(
      "SYMBOL_NOT_PROVED",
      `${atom.name} is needed, and it is not known where it lies in the running ${this.#unit.object}`,
      "give the function that uses it a variable of its own, or leave that function as it is",
    );
  }

  #external(name: string, weak: boolean): FieldTarget | undefined {
    const other = this.#others.get(name);
    if (other !== undefined) return other;
    const found = this.#unit.external(name, weak);
    if (found?.isFreed === true)
      return this.#refuse(
        "NEEDS_INIT",
        `${name} is needed, and it was freed when ${found.origin.kind === "livepatch" ? found.origin.object : "its object"} was up`,
        "define what is needed of it anew, without __init or __initdata",
      );
    if (found !== undefined) return { kind: "origin", origin: found.origin, waitsFor: this.#unit.object };
    if (weak) return { kind: "nothing", name };
    return this.#refuse(
      "SYMBOL_NOT_FOUND",
      `${name} is needed, and neither ${this.#unit.surroundings}, ${this.#unit.object} nor the diff has it`,
      "add the file that defines it to the diff, or do without it",
    );
  }

  #refuse(code: RefusalCode, what: string, hint: string): undefined {
    this.#refusals.set(what, refusal(code, what, this.#unit.selection.unit, hint));
    return undefined;
  }
}
