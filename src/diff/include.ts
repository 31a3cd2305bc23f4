/** The fourth step: the changed functions, and all that they need and the running object lacks. */
import { STB } from "../elf/constants.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import { isUnfilled } from "./btf-ids.ts";
import { isBranch, isHookable, isModuleExit } from "./hooks.ts";
import { isCold, isDisposable, numberedBase } from "./names.ts";
import type { DiffOptions } from "./options.ts";
import type { PairedUnits, Pairing } from "./pairing.ts";
import type { Change, Propagation } from "./propagate.ts";
import { replacedTables } from "./replaced-tables.ts";
import { isFreed } from "./roles.ts";
import {
  type Destination,
  type Piece,
  REQUEST_SECTIONS,
  type SelectedEntry,
  type SelectedFunc,
  type SelectedReference,
  type SelectedWord,
  type Selection,
} from "./selection.ts";
import { type Atom, entryOffset, isCode, type Reference, type TableEntry, type Unit } from "./unit.ts";

/** What the linker is to be given; not to be linked where there are refusals. */
export interface Inclusion {
  readonly selection: Selection;
  readonly refusals: readonly Refusal[];
}

/**
 * Takes the changed functions along, and from them whatever their new code refers to
 * and the running object does not have.
 */
export function include(units: PairedUnits, propagation: Propagation, options: DiffOptions): Inclusion {
  return new Includer(units, propagation, options).run();
}

class Includer {
  readonly #original: Unit;
  readonly #patched: Unit;
  readonly #pairing: Pairing;
  readonly #changes: ReadonlyMap<Atom, Change>;
  readonly #switched: ReadonlySet<Atom>;
  readonly #words: readonly SelectedWord[];
  readonly #options: DiffOptions;
  readonly #included = new Set<Atom>();
  readonly #queue: Atom[] = [];
  readonly #refusals = new Map<string, Refusal>();

  constructor(
    { original, patched, pairing }: PairedUnits,
    { changes, switched, words }: Propagation,
    options: DiffOptions,
  ) {
    this.#original = original;
    this.#patched = patched;
    this.#pairing = pairing;
    this.#changes = changes;
    this.#switched = switched;
    this.#words = words;
    this.#options = options;
  }

  run(): Inclusion {
    const funcs = [...this.#changes].flatMap(([atom, change]) => this.#func(atom, change));
    for (const func of funcs) this.#include(func.patched);
    for (const { after } of this.#words) {
      const destination = after.pointer?.destination;
      if (destination?.kind === "piece") this.#include(destination.atom);
    }
    for (const atom of this.#patched.atoms) if (isRequest(atom) || this.#isWanted(atom)) this.#include(atom);
    for (let atom = this.#queue.pop(); atom !== undefined; atom = this.#queue.pop()) this.#visit(atom);
    const pieces = this.#patched.atoms.filter((atom) => this.#included.has(atom)).map((atom) => this.#piece(atom));
    const isNew = (atom: Atom) => atom.kind === "function" && !this.#runs(atom);
    return {
      selection: {
        unit: this.#patched.name,
        arch: this.#patched.arch,
        funcs: funcs.filter(({ patched }) => !isModuleExit(patched) || this.#isHookable(patched)),
        moduleExit: funcs.find(({ patched }) => isModuleExit(patched) && !this.#isHookable(patched)),
        oldCode: this.#oldCode(),
        words: this.#words,
        newFunctions: pieces.filter(({ atom }) => isNew(atom)).map(({ atom }) => atom.name),
        pieces,
      },
      refusals: [...this.#refusals.values()],
    };
  }

  #func(patched: Atom, { why }: Change): SelectedFunc[] {
    const original = this.#pairing.originalOf.get(patched);
    if (patched.kind !== "function" || original === undefined || !this.#isPatchable(patched)) return [];
    return [{ name: original.name, original, patched, why, by: this.#switched.has(patched) ? "switch" : "hook" }];
  }

  #oldCode(): Atom[] {
    const code = new Set<Atom>();
    const add = (atom: Atom): void => {
      if (!isCode(atom) || code.has(atom)) return;
      if (atom.section.name === atom.section.arch.kernel.beforeAlternatives) return;
      code.add(atom);
      for (const { target } of atom.references) {
        if (target.kind !== "atom") continue;
        if (target.atom.anonymous || isCold(target.atom.name)) add(target.atom);
      }
    };
    for (const patched of this.#changes.keys()) {
      const original = this.#pairing.originalOf.get(patched);
      if (original !== undefined) add(original);
    }
    return [...code];
  }

  #isPatchable(atom: Atom): boolean {
    if (isCold(atom.name)) return false;
    return this.#isHookable(atom) || isModuleExit(atom) || this.#switched.has(atom);
  }

  #isHookable(atom: Atom): boolean {
    return isHookable(atom, this.#pairing, this.#options);
  }

  #isWanted(atom: Atom): boolean {
    const { wanted } = this.#options;
    if (wanted === undefined || this.#pairing.originalOf.has(atom)) return false;
    return atom.symbols.some(({ name, binding }) => binding !== STB.LOCAL && wanted.has(name));
  }

  #runs(patched: Atom): boolean {
    const original = this.#pairing.originalOf.get(patched);
    return original !== undefined && !this.#isAbsent(original);
  }

  #isAbsent(original: Atom): boolean {
    const { kind } = original;
    return (kind === "function" || kind === "constant") && this.#options.isAbsent?.(original) === true;
  }

  #include(atom: Atom): void {
    if (this.#included.has(atom)) return;
    this.#included.add(atom);
    this.#queue.push(atom);
  }

  #visit(atom: Atom): void {
    for (const reference of atom.references) this.#follow(atom, reference);
    for (const entry of atom.entries)
      if (entry.table.fate === "travels") for (const reference of entry.references) this.#follow(atom, reference, true);
  }

  #follow(from: Atom, reference: Reference, isOfTable = false): void {
    const { target } = reference;
    if (target.kind === "entry") this.#refuseOthersEntry(from, target.entry);
    if (target.kind !== "atom") return;
    if (target.orEndOf !== undefined) this.#refuseUnclear(from, target.atom, target.orEndOf);
    if (this.#destination(from, reference, isOfTable).kind !== "piece") {
      this.#refuseFreed(from, target.atom);
      return;
    }
    if (!this.#included.has(target.atom)) this.#examine(from, target.atom);
    this.#include(target.atom);
  }

  /** What a table says of other code stays with that. */
  #refuseOthersEntry(from: Atom, { table, owner }: TableEntry): void {
    if (owner === from && table.fate === "travels") return;
    this.#refuse(
      refusal(
        "SECTION_NOT_KNOWN",
        `${from.name} refers to what ${table.name} says of ${owner.name}, and what that means for the new version is not known`,
        `${this.#patched.name}: ${from.section.name}`,
        "leave out what puts it there, or change other code",
      ),
    );
  }

  /**
   * The start of one variable is the end of another in a section that has both, unless they lie
   * apart in the running object or the livepatch: then it counts which is meant, where code uses both.
   */
  #refuseUnclear(from: Atom, atom: Atom, walked: Atom): void {
    if (!from.references.some(({ target }) => target.kind === "atom" && target.atom === walked)) return;
    // What a macro makes for one use is no array, and nobody walks to its end.
    if (isDisposable(walked)) return;
    const [one, other] = [this.#pairing.originalOf.get(walked), this.#pairing.originalOf.get(atom)];
    const areTogether =
      one !== undefined && other !== undefined && one.section === other.section && one.end === other.start;
    if (areTogether && !this.#changes.has(atom) && !this.#changes.has(walked)) return;
    this.#refuse(
      refusal(
        "PLACE_AMBIGUOUS",
        `${from.name} refers to the end of ${walked.name} or to ${atom.name}, which is the same place in ${atom.section.name}, and is not in what runs`,
        `${this.#patched.name}: ${from.section.name}`,
        `declare ${atom.name} before ${walked.name}, or in another section`,
      ),
    );
  }

  /** Code that is freed after init is there no more; who referred to it before is left as it was. */
  #refuseFreed(from: Atom, atom: Atom): void {
    if (!isFreed(atom.section, this.#options.isModule)) return;
    const before = this.#pairing.originalOf.get(from)?.references ?? [];
    const twin = this.#pairing.originalOf.get(atom);
    if (before.some(({ target }) => target.kind === "atom" && target.atom === twin)) return;
    this.#refuse(
      refusal(
        "NEEDS_INIT",
        `${from.name} needs ${atom.name}, which was freed when its object was up`,
        `${this.#patched.name}: ${atom.section.name}`,
        "define it without __init, __initdata or __exit",
      ),
    );
  }

  /** Refuses what must not come along. */
  #examine(from: Atom, atom: Atom): void {
    const { role } = atom.section;
    const where = `${this.#patched.name}: ${atom.section.name}`;
    if (role === "init" || role === "load-time") {
      this.#refuse(
        refusal(
          "NEEDS_INIT",
          `${from.name} needs ${atom.name}, which is new and lies in ${atom.section.name}`,
          where,
          "define it without __init or __initdata",
        ),
      );
    }
    if (isUnfilled(atom)) {
      this.#refuse(
        refusal(
          "LOAD_TIME_TABLE_CHANGED",
          `${from.name} needs ${atom.name}, a new list of BTF ids, which are filled in only when the kernel is linked`,
          where,
          "leave the lists as they are, and decide in code",
        ),
      );
    }
    const base = numberedBase(atom.name);
    if (atom.kind !== "data" || base === undefined || isDisposable(atom) || this.#pairing.originalOf.has(atom)) return;
    const lost = this.#original.atoms.find(
      (it) => it.kind === "data" && numberedBase(it.name) === base && !this.#pairing.patchedOf.has(it),
    );
    if (lost === undefined) return;
    this.#refuse(
      refusal(
        "STATIC_LOCAL_AMBIGUOUS",
        `${from.name} uses the static local ${base}, and it is not clear which of the original's it is (${lost.name}?)`,
        where,
        "keep the static local's uses in the same function and order, or give it another name",
      ),
    );
  }

  #refuse(it: Refusal): void {
    this.#refusals.set(`${it.code} ${it.what}`, it);
  }

  /** @param isOfTable whether it is that of an entry about the code, which means places in this very code */
  #destination(from: Atom, reference: Reference, isOfTable = false): Destination {
    const { target } = reference;
    if (target.kind !== "atom") return target;
    const { atom } = target;
    const piece: Destination = { kind: "piece", atom, offset: target.offset };
    const twin = this.#pairing.originalOf.get(atom);
    if (twin === undefined || isCold(atom.name) || atom.kind === "code" || this.#isAbsent(twin)) return piece;
    if (atom === from && (isOfTable || atom.kind !== "function" || isBranch(from, reference))) return piece;
    const original: Destination = { kind: "original", atom: twin, offset: target.offset };
    if (atom.kind === "function") {
      const isEntry = target.offset === entryOffset(atom);
      if (!this.#changes.has(atom)) return isEntry ? original : piece;
      if (!isEntry || isBranch(from, reference)) return piece;
      // A function's address is the running entry's, also to itself: it outlives the livepatch, and leads to the new one as long as that is in effect.
      return this.#isPatchable(atom) && !isModuleExit(atom) ? original : piece;
    }
    return this.#changes.has(atom) ? piece : original;
  }

  #piece(atom: Atom): Piece {
    return {
      atom,
      ...this.#older(atom),
      references: atom.references.map((reference) => this.#select(atom, reference)),
      entries: atom.entries
        .filter(({ table }) => table.fate === "travels")
        .map(
          (entry): SelectedEntry => ({
            entry,
            references: entry.references.map((reference) => this.#select(atom, reference, entry.table.key)),
          }),
        ),
    };
  }

  #older(atom: Atom): Pick<Piece, "older"> {
    if (atom.kind !== "constant" || atom.anonymous || isDisposable(atom)) return {};
    if (this.#changes.has(atom) && this.#runs(atom)) return { older: atom.name };
    this.#replaced ??= replacedTables({ original: this.#original, patched: this.#patched, pairing: this.#pairing });
    const replaced = this.#replaced.get(atom);
    return replaced === undefined ? {} : { older: replaced.name };
  }
  #replaced: ReadonlyMap<Atom, Atom> | undefined;

  #select(from: Atom, reference: Reference, key?: number): SelectedReference {
    const { offset, type, adjust, target } = reference;
    const destination: Destination =
      key === offset && target.kind === "atom"
        ? { kind: "piece", atom: target.atom, offset: target.offset }
        : this.#destination(from, reference, key !== undefined);
    return { offset, type, adjust, destination, isBranch: key === undefined && isBranch(from, reference) };
  }
}

function isRequest(atom: Atom): boolean {
  return atom.section.name.startsWith(REQUEST_SECTIONS);
}
