import type { Atom, Reference, TableEntry, Target, Unit } from "../../../diff/unit.ts";
import type { Shipped, ShippedSymbol, ShippedTarget } from "./shipped.ts";

/** A shipped object that is made up of atoms at chosen places: what the matcher asks of one, and no more. */
export class MadeUpImage implements Shipped {
  readonly arch: Unit["arch"];
  readonly object = "vmlinux";
  readonly buildId = "0123";
  readonly #memory = new Map<number, Buffer>();
  readonly #symbols: { readonly name: string; readonly at: number }[] = [];
  readonly #targets = new Map<number, ShippedTarget>();
  /** Beyond what tests place by themselves. */
  #free = 0x900000;

  /** @param arch of the unit that is looked for in it */
  constructor({ arch }: Pick<Unit, "arch">) {
    this.arch = arch;
  }

  /**
   * Lays the atom down, its fields filled in by `lead`.
   * @param edit changes its bytes before
   */
  place(atom: Atom, at: number, lead: (name: string) => number, edit: (bytes: Buffer) => void = () => {}): void {
    const bytes = Buffer.from(atom.data);
    edit(bytes);
    this.#memory.set(at, bytes);
    for (const { name, value } of atom.symbols) if (name !== "") this.name(name, at + value - atom.start);
    this.#lay(atom.references, at, lead);
  }

  /** Lays an entry of a table down in the same way. */
  entry({ data, references }: TableEntry, at: number, lead: (name: string) => number): void {
    this.#memory.set(at, Buffer.from(data));
    this.#lay(references, at, lead);
  }

  #lay(references: readonly Reference[], at: number, lead: (name: string) => number): void {
    for (const { offset, target } of references) {
      if (target.kind === "absolute") continue;
      const from = target.kind === "literal" ? this.text(target.literal.bytes) : lead(nameOf(target));
      this.#targets.set(at + offset, { kind: "place", at: from + target.offset });
    }
  }

  name(name: string, at: number): void {
    this.#symbols.push({ name, at });
  }

  /** Lays bytes down somewhere. @returns where */
  text(bytes: string): number {
    const at = this.#free;
    this.#free += 0x100;
    this.#memory.set(at, Buffer.from(bytes, "latin1"));
    return at;
  }

  bytes(at: number, length: number): Buffer | undefined {
    for (const [start, bytes] of this.#memory)
      if (at >= start && at + length <= start + bytes.length) return bytes.subarray(at - start, at - start + length);
    return undefined;
  }

  places(name: string): readonly number[] {
    return this.#symbols.filter((each) => each.name === name).map(({ at }) => at);
  }

  hasGlobal(name: string): boolean {
    return this.places(name).length > 0;
  }

  symbolsAt(at: number): readonly ShippedSymbol[] {
    return this.#symbols
      .filter((each) => each.at === at)
      .map(({ name }) => ({ name, position: this.places(name).indexOf(at) + 1, count: this.places(name).length }));
  }

  isSealed(): boolean {
    return false;
  }

  isFreed(): boolean {
    return false;
  }

  target(at: number): ShippedTarget | undefined {
    return this.#targets.get(at);
  }

  types(): undefined {
    return undefined;
  }
}

/** Of an entry, its table's. */
function nameOf(target: Exclude<Target, { readonly kind: "literal" | "absolute" }>): string {
  if (target.kind === "entry") return target.entry.table.name;
  return target.kind === "atom" ? target.atom.name : target.name;
}

/** The atom of this name, which the unit has. */
export function atomOf({ atoms }: Unit, name: string): Atom {
  const found = atoms.find((atom) => atom.symbols.some((symbol) => symbol.name === name));
  if (found === undefined) throw new Error(`the unit has no ${name}`);
  return found;
}
