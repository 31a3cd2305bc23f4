import { readFileSync } from "node:fs";
import type { Stack } from "../../src/core/machine.ts";
import { readElf } from "../../src/elf/read.ts";
import { parseMappings } from "../../src/process/os/mappings.ts";
import type { Tracee } from "./unwind-tracee.ts";

const DEPTH_AT = 16;
const SITES_AT = 24;

/** What a program that was compiled with shadow.h has noted of its calls. */
export class Shadow {
  readonly #tracee: Tracee;
  /** Where the notes of each thread are. */
  readonly #notes = new Map<number, number>();
  /** Code of the functions that are noted. */
  readonly #noted: readonly { readonly start: number; readonly end: number }[];
  /** Stacks that were compared, and noted calls in them. */
  readonly seen = { stacks: 0, calls: 0, deepest: 0, signals: 0 };

  constructor(tracee: Tracee, program: string) {
    this.#tracee = tracee;
    const [address = "", size = ""] = tracee.line.split(" ");
    for (let index = 0; index < 128; index++) {
      const at = Number(address) + index * Number(size);
      const thread = Number(tracee.memory.read(at, 8)?.readBigInt64LE());
      if (thread !== 0) this.#notes.set(thread, at);
    }
    const file = readElf(readFileSync(program), program);
    const first = parseMappings(readFileSync(`/proc/${tracee.pid}/maps`, "latin1")).find((each) => each.inode !== 0);
    const bias = file.header.type === 3 ? (first?.start ?? 0) : 0;
    this.#noted = file.symbols
      .filter(({ name, type }) => type === 2 && /^work_|^_Z[A-Z0-9]*?\d+work_|Circle9work_/.test(name))
      .map(({ value, size: length }) => ({ start: Number(value) + bias, end: Number(value + length) + bias }));
  }

  /**
   * How a stack differs from what its thread noted; undefined where it does not.
   * A function's own frame is there before its call is noted and after the note
   * is gone, so one frame more is right, and one more for every signal.
   */
  difference(thread: number, stack: Stack): string | undefined {
    const notes = this.#notes.get(thread);
    if (stack.kind === "unreliable") return `unreliable: ${stack.why}`;
    const head = notes === undefined ? undefined : this.#tracee.memory.read(notes, SITES_AT);
    if (notes === undefined || head === undefined || head.readBigInt64LE(8) !== 0n) return undefined;
    const depth = Number(head.readBigInt64LE(DEPTH_AT));
    const sites = this.#tracee.memory.read(notes + SITES_AT, 8 * Math.max(1, depth));
    const returns = stack.frames.filter((frame) => frame.isReturn).map((frame) => frame.ip);
    let at = returns.length;
    for (let index = 0; index < depth; index++) {
      const site = Number(sites?.readBigUInt64LE(8 * index));
      if (site === 0) continue;
      at = returns.lastIndexOf(site, at - 1);
      if (at < 0) return `call ${index} of ${depth}, which returns to 0x${site.toString(16)}, is missing`;
    }
    const signals = stack.frames.filter((frame, index) => index > 0 && !frame.isReturn).length;
    const found = stack.frames.filter(({ ip, isReturn }) => this.#isNoted(isReturn ? ip - 1 : ip)).length;
    if (found < depth || found > depth + 1 + signals) return `${found} noted functions instead of ${depth}`;
    this.seen.stacks++;
    this.seen.calls += depth;
    this.seen.signals += signals;
    this.seen.deepest = Math.max(this.seen.deepest, depth);
    return undefined;
  }

  #isNoted(ip: number): boolean {
    return this.#noted.some(({ start, end }) => start <= ip && ip < end);
  }
}
