/**
 * Stacks that are no thread's now: of coroutines of any kind, that will go on where they were
 * left. What they have in common is that the return addresses of their frames lie in memory
 * which is no thread's stack.
 *
 * A look at all memory takes some tenths of a second a gigabyte. So while the process runs it
 * is found out whether it has such stacks at all; only then a stop looks again.
 */
import type { CodeRange } from "../../../core/machine.ts";
import { SutureError } from "../../../lib/error.ts";
import type { ProcessMemory } from "../trace/memory.ts";
import { livingDirectory } from "../trace/thread-list.ts";
import { type Mapping, readMappings } from "../unwind/mappings.ts";
import type { Unwinder } from "../unwind/unwinder.ts";
import { CallChain, type Read } from "./call-chain.ts";
import { MemoryWords, type ReadInto } from "./memory-words.ts";
import { type Block, threadBlocks } from "./thread-blocks.ts";

/** A word that is, or may be, what a suspended stack will come to. */
export interface StrayAddress {
  readonly at: number;
  readonly address: number;
  /** What the kernel calls the memory that it lies in, or nothing. */
  readonly memory: string;
}

/** Where it lies, as a part of a sentence. */
export function describePlace({ at, memory }: StrayAddress): string {
  return `at 0x${at.toString(16)} in ${memory === "" ? "memory" : memory}, on no thread's stack`;
}

interface Found {
  readonly code: readonly { readonly at: number; readonly address: number }[];
  readonly blocks: readonly Block[];
  readonly mappings: readonly Mapping[];
}

/** More than this is not looked through: the first ones say what is to be said. */
const MOST_FOUND = 1 << 16;

export class SuspendedStacks {
  readonly #pid: number;
  readonly #read: Read;
  readonly #readInto: ReadInto;
  readonly #chain: CallChain;

  constructor(pid: number, memory: ProcessMemory, unwinder: Unwinder) {
    this.#pid = pid;
    this.#read = (address, size) => memory.tryRead(address, size);
    this.#readInto = (address, into, size) => memory.readInto(address, into, size);
    this.#chain = new CallChain(this.#read, unwinder);
  }

  /** Whether the process has such stacks now, whatever their code is. It may run meanwhile. */
  exist(breathe: () => void): boolean {
    const mappings = this.#mappings();
    const code = mappings.filter(({ executable, name }) => executable && name !== "[vsyscall]");
    const { code: found, blocks } = this.#search(
      mappings,
      code,
      (_, address) => this.#chain.isReturnAddress(address),
      breathe,
    );
    return found.some(({ at, address }) => !isInside(blocks, at) && this.#isChain(at, address));
  }

  /**
   * What will return to this code from such a stack, or has been interrupted in it.
   *
   * @param isStrict also a word that cannot be a frame by what lies above it
   */
  returningTo(
    ranges: readonly CodeRange[],
    isStrict: boolean,
    breathe: () => void = () => {},
  ): StrayAddress | undefined {
    const isEntry = new Set(ranges.map(({ start }) => start));
    const isEnd = new Set(ranges.map(({ end }) => end));
    // A call can be the last instruction.
    const wanted = ranges.map(({ start, end }) => ({ start, end: end + 1 }));
    const isPlausible = (at: number, address: number): boolean =>
      !isEntry.has(address) && (this.#chain.isReturnAddress(address) || this.#chain.isInterrupted(at));
    const found = this.#search(this.#mappings(), wanted, isPlausible, breathe);
    const isFrame = ({ at, address }: Found["code"][number]): boolean =>
      // Behind a last call, which does not return, begins the next function: programs keep pointers to such.
      isEnd.has(address) && this.#chain.isEntry(address) ? this.#isChain(at, address) : this.#isFrame(at, address);
    return first(found, (word) => isStrict || isFrame(word));
  }

  /** Throws `TARGET_GONE`. */
  #mappings(): Mapping[] {
    try {
      return readMappings(this.#pid);
    } catch (cause) {
      throw new SutureError("TARGET_GONE", "the process is no more", { where: `pid ${this.#pid}`, cause });
    }
  }

  #search(
    mappings: readonly Mapping[],
    wanted: readonly CodeRange[],
    isPlausible: (at: number, address: number) => boolean,
    breathe: () => void,
  ): Found {
    this.#chain.forget();
    using words = new MemoryWords(livingDirectory(this.#pid), this.#readInto);
    const code: { at: number; address: number }[] = [];
    const selves: { at: number; isTwice: boolean }[] = [];
    const sorted = wanted.toSorted((a, b) => a.start - b.start);
    for (const mapping of mappings.filter(mayHoldStacks))
      words.search(
        mapping,
        sorted,
        {
          code: (at, address) => {
            if (code.length < MOST_FOUND && isPlausible(at, address)) code.push({ at, address });
          },
          self: (at, isTwice) => {
            if (isTwice || selves.length < MOST_FOUND) selves.push({ at, isTwice });
          },
        },
        breathe,
      );
    return { code, blocks: threadBlocks(selves, mappings, this.#read), mappings };
  }

  /** Two frames, one above the other, just as the code says they lie. */
  #isChain(at: number, address: number): boolean {
    return this.#chain.above(at, address).kind === "frame";
  }

  /** All but what cannot be a frame: a word that was copied, or left, without the ones above it. */
  #isFrame(at: number, address: number): boolean {
    if (this.#chain.isInterrupted(at) || this.#chain.above(at, address).kind !== "none") return true;
    // The outermost frame of a stack that was made by hand has anything above it; but then what it has called switches stacks.
    return !this.#chain.isCalleeDescribed(address);
  }
}

/** The first thread's stack is told by its frames; files that are shared and devices hold none. */
function mayHoldStacks({ writable, name, isShared, inode }: Mapping): boolean {
  return writable && name !== "[stack]" && !(isShared === true && inode !== 0) && !name.startsWith("/dev/");
}

function first(
  { code, blocks, mappings }: Found,
  counts: (word: Found["code"][number]) => boolean,
): StrayAddress | undefined {
  const word = code.find((each) => !isInside(blocks, each.at) && counts(each));
  if (word === undefined) return undefined;
  const memory = mappings.find(({ start, end }) => start <= word.at && word.at < end)?.name ?? "";
  return { ...word, memory };
}

function isInside(ranges: readonly Block[], address: number): boolean {
  return ranges.some(({ start, end }) => start <= address && address < end);
}
