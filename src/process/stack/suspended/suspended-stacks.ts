/**
 * Stacks that are no thread's now: of coroutines of any kind, that will go on where they were
 * left. What they have in common is that the return addresses of their frames lie in memory
 * which is no thread's stack.
 *
 * A look at all memory takes some tenths of a second a gigabyte. So while the process runs it
 * is found out whether it has such stacks at all; only then a stop looks again.
 *
 * Other words may look like return addresses: what calls have left, text. A frame is told from them by what
 * has to lie above it, or by what its call has led to: the innermost frame of a suspended
 * stack has called what leaves the stack.
 */
import type { TryRead } from "../../../arch/call-code.ts";
import type { CodeRange } from "../../../core/machine.ts";
import { type Mapping, mappingsOf } from "../../os/mappings.ts";
import type { ReadableMemory } from "../../os/memory.ts";
import { nativeCalls } from "../../os/native.ts";
import { livingDirectory } from "../../os/thread-list.ts";
import { isIn } from "../ranges.ts";
import type { Unwinder } from "../unwinder.ts";
import { CallChain } from "./call-chain.ts";
import type { Leaving } from "./callees.ts";
import { MemoryWords, type ReadInto } from "./memory-words.ts";
import { threadBlocks } from "./thread-blocks.ts";

/** A word that is, or may be, what a suspended stack will come to. */
export interface StrayAddress extends Word {
  /** What the kernel calls the memory that it lies in, or nothing. */
  readonly memory: string;
}

/** Where it lies, as a part of a sentence. */
export function describePlace({ at, memory }: StrayAddress): string {
  return `at 0x${at.toString(16)} in ${memory === "" ? "memory" : memory}, on no thread's stack`;
}

interface Word {
  readonly at: number;
  readonly address: number;
}

/** What is looked for, made out before memory is gone through. */
interface Wanted {
  readonly starts: ReadonlySet<number>;
  readonly ends: ReadonlySet<number>;
  readonly labels: ReadonlySet<number>;
  /** A call can be the last instruction. */
  readonly ranges: readonly CodeRange[];
}

const WORD = 8;
/** More than this is not looked through: the first ones say what is to be said. */
const MOST_FOUND = 1 << 16;
/** What code that switches stacks saves below a return address at most, vector registers too; bytes. */
const MOST_SAVED = 4096;
/** Below, the address of code in a program at a fixed place may be three letters of a text. */
const LIKE_TEXT = 2 ** 32;
/** Code that is longer is not looked through for labels; bytes. */
const LONGEST_CODE = 1 << 20;

/** Each question reads the memory anew; nothing that it has found is kept. */
export class SuspendedStacks {
  readonly #pid: number;
  readonly #read: TryRead;
  readonly #readInto: ReadInto;
  readonly #chain: CallChain;

  constructor(pid: number, memory: ReadableMemory, unwinder: Unwinder) {
    this.#pid = pid;
    this.#read = (address, size) => memory.tryRead(address, size);
    this.#readInto = (address, into, size) => memory.readInto(address, into, size);
    this.#chain = new CallChain(this.#read, unwinder);
  }

  /** Whether the process has such stacks now, whatever their code is, or one that will come to these ranges. It may run meanwhile. */
  exist(ranges: readonly CodeRange[], attend: () => void): boolean {
    const mappings = this.#begin();
    const wanted = this.#wanted(ranges);
    const code = mappings.filter(({ executable, name }) => executable && name !== "[vsyscall]");
    const memory = mappings.filter(mayHoldStacks);
    const words = this.#search(memory, mappings, code, (word) => this.#isPlausible(word, wanted), attend);
    if (words.some((word) => this.#isChain(word))) return true;
    const inside = words.filter(({ address }) => isIn(wanted.ranges, address));
    return this.#firstFrame(inside, wanted, "none", mappings, attend) !== undefined;
  }

  /**
   * What will return to this code from such a stack, or has been interrupted in it.
   *
   * @param others whether there are such stacks; `any`: and every word counts that may be a return address
   */
  returningTo(
    ranges: readonly CodeRange[],
    others: "none" | "some" | "any",
    attend: () => void = () => {},
  ): StrayAddress | undefined {
    const mappings = this.#begin();
    const wanted = this.#wanted(ranges);
    const memory = mappings.filter(mayHoldStacks);
    const isPlausible = (each: Word): boolean => this.#isPlausible(each, wanted);
    const words = this.#search(memory, mappings, wanted.ranges, isPlausible, attend);
    const word = others === "any" ? words[0] : this.#firstFrame(words, wanted, others, mappings, attend);
    return (
      word && { ...word, memory: mappings.find(({ start, end }) => start <= word.at && word.at < end)?.name ?? "" }
    );
  }

  /** Throws `TARGET_GONE`. */
  #begin(): Mapping[] {
    const mappings = mappingsOf(this.#pid);
    this.#chain.begin(mappings.filter(({ executable }) => executable));
    return mappings;
  }

  #wanted(ranges: readonly CodeRange[]): Wanted {
    const labels = ranges.flatMap(({ start, end }) => {
      const code = end - start > LONGEST_CODE ? undefined : this.#read(start, end - start);
      return code === undefined ? [] : nativeCalls().innerLabels(code, start, ranges);
    });
    return {
      starts: new Set(ranges.map(({ start }) => start)),
      ends: new Set(ranges.map(({ end }) => end)),
      labels: new Set(labels),
      ranges: ranges.map(({ start, end }) => ({ start, end: end + 1 })),
    };
  }

  #isPlausible({ at, address }: Word, { starts, labels, ranges }: Wanted): boolean {
    if (starts.has(address)) return false;
    if (this.#chain.isReturnAddress(address)) return true;
    return isIn(ranges, address) && (labels.has(address) || this.#chain.isInterrupted(at));
  }

  /** Words of this memory that lie on no thread's stack. */
  #search(
    memory: readonly Mapping[],
    mappings: readonly Mapping[],
    wanted: readonly CodeRange[],
    isPlausible: (word: Word) => boolean,
    attend: () => void,
  ): Word[] {
    using pieces = new MemoryWords(livingDirectory(this.#pid), this.#readInto);
    const words: Word[] = [];
    const selves: { at: number; isTwice: boolean }[] = [];
    const sorted = wanted.toSorted((a, b) => a.start - b.start);
    for (const mapping of memory)
      pieces.search(
        mapping,
        sorted,
        {
          code: (at, address) => {
            if (words.length < MOST_FOUND && isPlausible({ at, address })) words.push({ at, address });
          },
          self: (at, isTwice) => {
            if (isTwice || selves.length < MOST_FOUND) selves.push({ at, isTwice });
          },
        },
        attend,
      );
    const blocks = threadBlocks(selves, mappings, this.#read);
    return words.filter(({ at }) => !isIn(blocks, at));
  }

  /** Two frames, one above the other, just as the code says they lie; or one that may have left its stack, with other code above it. */
  #isChain({ at, address }: Word): boolean {
    const { kind } = this.#chain.above(at, address);
    return kind === "frame" || (kind === "code" && this.#mayLeave(address) !== "stays");
  }

  #firstFrame(
    words: readonly Word[],
    wanted: Wanted,
    others: "none" | "some",
    mappings: readonly Mapping[],
    attend: () => void,
  ): Word | undefined {
    const open: Word[] = [];
    for (const word of words) {
      const judged = this.#judge(word, wanted, others, mappings);
      if (judged === "frame") return word;
      if (judged === "open") open.push(word);
    }
    return this.#pointedTo(open, mappings, attend);
  }

  /** `open`: it is one if a stack pointer to just below it was saved anywhere. */
  #judge(
    { at, address }: Word,
    { ends, labels }: Wanted,
    others: "none" | "some",
    mappings: readonly Mapping[],
  ): "frame" | "none" | "open" {
    if (labels.has(address) || this.#chain.isInterrupted(at)) return "frame";
    const above = this.#chain.above(at, address).kind;
    if (above === "frame") return "frame";
    // Behind a last call, which does not return, begins the next function: programs keep pointers to such.
    if (ends.has(address) && this.#chain.isEntry(address)) return "none";
    if (above === "code" || (others === "some" && above === "unknown")) return "frame";
    const leaving = this.#mayLeave(address);
    if (leaving === "unknown") return "frame";
    const memory = mappings.find(({ start, end }) => start <= at && at < end);
    if (memory !== undefined && this.#chain.isAboveAny(at, memory.start)) return "frame";
    if (leaving === "stays") return "none";
    return above === "unknown" ? "frame" : "open";
  }

  /** Calls by pointers may do anything, but so many words may be their return addresses where text looks like these. */
  #mayLeave(address: number): Leaving {
    const leaving = this.#chain.leavingBefore(address);
    return leaving === "by-pointer" && address < LIKE_TEXT ? "stays" : leaving;
  }

  /** The first of these words just below which some word elsewhere points, as a saved stack pointer does. */
  #pointedTo(words: readonly Word[], mappings: readonly Mapping[], attend: () => void): Word | undefined {
    if (words.length === 0) return undefined;
    const sorted = words.toSorted((a, b) => a.at - b.at);
    const windows: { start: number; end: number }[] = [];
    for (const { at } of sorted) {
      const last = windows.at(-1);
      if (last !== undefined && last.end >= at - MOST_SAVED) last.end = at + WORD + 1;
      else windows.push({ start: at - MOST_SAVED, end: at + WORD + 1 });
    }
    let found: Word | undefined;
    const look = ({ at, address: pointer }: Word): boolean => {
      if (pointer % WORD !== 0 || found !== undefined) return false;
      // What is saved may be the stack pointer as it will be behind the return.
      const word = sorted.find((each) => each.at + WORD >= pointer);
      if (word !== undefined && word.at - pointer <= MOST_SAVED && (at < pointer || at > word.at)) found = word;
      return false;
    };
    const memory = mappings.filter((mapping) => mayHoldStacks(mapping) || mapping.name === "[stack]");
    this.#search(memory, mappings, windows, look, attend);
    return found;
  }
}

/** The first thread's stack is told by its frames; files that are shared and devices hold none. */
function mayHoldStacks({ writable, name, isShared, inode }: Mapping): boolean {
  return writable && name !== "[stack]" && !(isShared === true && inode !== 0) && !name.startsWith("/dev/");
}
