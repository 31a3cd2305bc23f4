/** The running kernel's symbols, as /proc/kallsyms shows them to root. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** One line of it. */
export interface RunningSymbol {
  readonly name: string;
  /** Unsigned. */
  readonly address: bigint;
  /** `vmlinux`, or the module's name. */
  readonly object: string;
}

interface Line {
  readonly start: number;
  readonly end: number;
  readonly address: bigint;
}

/** All symbols, in the order in which the kernel lists them, which is the order that `sympos` counts in. */
export class Kallsyms {
  readonly #text: string;
  #sorted: readonly Line[] | undefined;

  private constructor(text: string) {
    this.#text = text;
  }

  /** undefined where it is not there, or hides the addresses (kernel.kptr_restrict). `root` is the root of the file system. */
  static async read(root: string): Promise<Kallsyms | undefined> {
    const text = await readFile(join(root, "proc/kallsyms"), "latin1").catch(() => "");
    const start = /^([0-9a-f]{16}) \w _text$/m.exec(text)?.[1];
    return start === undefined || /^0*$/.test(start) ? undefined : new Kallsyms(text);
  }

  /** Those of one of these names. */
  named(names: ReadonlySet<string>): RunningSymbol[] {
    const found: RunningSymbol[] = [];
    for (const [start, end] of this.#lines()) {
      const { name, tag } = this.#nameIn(start, end);
      if (names.has(name)) found.push({ name, address: this.#addressIn(start), object: tag });
    }
    return found;
  }

  /** The symbol that an address belongs to: the last one before it. */
  covering(address: bigint): RunningSymbol | undefined {
    this.#sorted ??= [...this.#lines()]
      .map(([start, end]) => ({ start, end, address: this.#addressIn(start) }))
      .sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
    let [low, high] = [0, this.#sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#sorted[middle] as Line).address <= address) low = middle + 1;
      else high = middle;
    }
    const found = this.#sorted[low - 1];
    if (found === undefined) return undefined;
    const { name, tag } = this.#nameIn(found.start, found.end);
    return { name, address: found.address, object: tag };
  }

  *#lines(): Generator<readonly [start: number, end: number]> {
    for (let start = 0; start < this.#text.length; ) {
      const newline = this.#text.indexOf("\n", start);
      const end = newline < 0 ? this.#text.length : newline;
      // Address, space, type, space.
      if (end - start > NAME) yield [start, end];
      start = end + 1;
    }
  }

  #addressIn(start: number): bigint {
    const digits = this.#text.slice(start, start + DIGITS);
    return /^[0-9a-f]+$/.test(digits) ? BigInt(`0x${digits}`) : 0n;
  }

  #nameIn(start: number, end: number): { readonly name: string; readonly tag: string } {
    const name = this.#text.slice(start + NAME, end);
    const tab = name.indexOf("\t");
    if (tab < 0) return { name, tag: "vmlinux" };
    return { name: name.slice(0, tab), tag: name.slice(tab + 1).replace(/^\[|\]$/g, "") };
  }
}

/** Where the kernel's code begins. */
export const TEXT = "_text";
const DIGITS = 16;
const NAME = DIGITS + 3;
