import type { Mapping } from "../os/mappings.ts";
import { nativeWords } from "../os/native.ts";
import { asEnteredRow, type FrameRow, problemRow } from "./frame-row.ts";
import { biasOf, isCodeAt } from "./image-layout.ts";
import type { Image, ImageStore } from "./images.ts";
import { Ranges } from "./ranges.ts";
import type { Region } from "./regions.ts";
import type { RowCache } from "./row-cache.ts";
import { type StackArea, stackAreas, threadPointerAbove, threadStack } from "./stack-areas.ts";
import type { TargetMemory } from "./target-memory.ts";

/** An executable mapping. */
interface Piece {
  readonly start: number;
  readonly end: number;
  /** What has to be taken off an address for the image's own numbering. */
  readonly bias: number;
  readonly rows: RowCache | undefined;
  /** The row of all addresses where there are no rows. */
  readonly without: FrameRow;
  readonly name: string;
  readonly loaded: Loaded | undefined;
}

/** An image at its place. */
interface Loaded {
  readonly image: Image;
  /** Of its first byte; undefined where that is not mapped. */
  readonly base: number | undefined;
  /** What is there: headers and, nearly always, the build-id. */
  readonly beginning: Buffer | undefined;
  /** The stop for which it was last seen to be there still. */
  checkedFor: number;
}

const BEGINNING = 1024;

/** What code and what stacks a process has, as of the last `refresh`. */
export class CodeMap {
  readonly #pid: number;
  readonly #memory: TargetMemory;
  readonly #store: ImageStore;
  readonly #mappings: () => readonly Mapping[];
  #pieces = new Ranges<Piece>([]);
  #areas = new Ranges<StackArea>([]);
  /** Of threads that were seen, by thread pointer. */
  readonly #threadStacks = new Map<number, StackArea | undefined>();
  #regions = new Ranges<Region>([]);
  #stop = 0;
  #refreshedFor = -1;

  /** @param mappings of the process as they are when it is asked; what it throws is thrown */
  constructor(pid: number, memory: TargetMemory, store: ImageStore, mappings: () => readonly Mapping[]) {
    this.#pid = pid;
    this.#memory = memory;
    this.#store = store;
    this.#mappings = mappings;
  }

  setRegions(regions: readonly Region[]): void {
    this.#regions = new Ranges(regions);
  }

  /** What was seen before may have changed since: the process has run. */
  beginStop(): void {
    this.#stop++;
  }

  /**
   * Loads the images that are new.
   *
   * @param mappings as they are now; asked for where this is left out
   */
  refresh(mappings: readonly Mapping[] = this.#mappings()): void {
    this.#refreshedFor = this.#stop;
    this.#areas = new Ranges(stackAreas(mappings));
    this.#threadStacks.clear();
    const before = this.#pieces.all;
    const fresh: Piece[] = [];
    for (const mapping of mappings.filter((each) => each.executable)) fresh.push(this.#piece(mapping, mappings, fresh));
    this.#pieces = new Ranges(fresh.map((piece) => before.find((old) => isSamePiece(old, piece)) ?? piece));
  }

  /** Computes rows of all images, for so many milliseconds. */
  warmUp(milliseconds: number): void {
    const caches = new Set(this.#pieces.all.map((piece) => piece.rows).filter((rows) => rows !== undefined));
    const start = performance.now();
    let share = 0;
    for (const rows of caches) rows.warmUp(start + (milliseconds * ++share) / caches.size);
  }

  #piece(mapping: Mapping, mappings: readonly Mapping[], fresh: readonly Piece[]): Piece {
    const { start, end, offset, name } = mapping;
    const none = { start, end, bias: 0, rows: undefined, name, loaded: undefined };
    const isOfFile = mapping.inode !== 0 || name === "[vdso]";
    const own = isOfFile ? this.#store.load(this.#pid, mapping, mappings, this.#memory) : undefined;
    const placed =
      own?.layout === undefined
        ? (this.#imageAround(mapping, mappings) ?? (own && { image: own, bias: undefined }))
        : { image: own, bias: biasOf(own.layout, start, offset) };
    if (placed === undefined)
      return { ...none, without: problemRow("it is code that was made at run time, without frame information") };
    const { image, bias } = placed;
    if (bias === undefined) return { ...none, without: problemRow(image.why || "it is not executable in the file") };
    const first = image.layout?.segments[0];
    const base = first && bias + first.address - first.offset;
    const known = fresh.find(({ loaded }) => loaded !== undefined && loaded.image === image && loaded.base === base);
    const loaded = known?.loaded ?? {
      image,
      base,
      beginning: name === "[vdso]" ? undefined : this.#beginningAt(base),
      checkedFor: this.#stop,
    };
    const without = problemRow(image.rows === undefined ? image.why : "no frame information covers it");
    return { start, end, bias, rows: image.rows, without, name, loaded };
  }

  /** Of other memory that a program has put in the place of its own code, huge pages mostly: what was there is a file's. */
  #imageAround(
    { start }: Mapping,
    mappings: readonly Mapping[],
  ): { readonly image: Image; readonly bias: number } | undefined {
    const first = mappings.findLast(
      (each) => each.start < start && each.inode !== 0 && each.offset === 0 && each.readable && !each.executable,
    );
    const image = first && this.#store.load(this.#pid, first, mappings, this.#memory);
    const head = image?.layout?.segments[0];
    if (first === undefined || image?.layout === undefined || head === undefined) return undefined;
    const bias = first.start + head.offset - head.address;
    return isCodeAt(image.layout, start - bias) ? { image, bias } : undefined;
  }

  #beginningAt(base: number | undefined): Buffer | undefined {
    const data = base === undefined ? undefined : this.#memory.read(base, BEGINNING);
    return data && Buffer.from(data);
  }

  /** The row that covers an address. One with a `problem` where there is none. */
  rowAt(address: number): FrameRow {
    const region = this.#regions.find(address);
    if (region !== undefined) return rowInRegion(region, address);
    const piece = this.#currentPiece(address);
    if (piece === undefined) return NOT_CODE;
    return piece.rows?.at(address - piece.bias) ?? piece.without;
  }

  /** The function that an address lies in; undefined where no call-frame information covers it. */
  functionAt(address: number): { readonly start: number; readonly end: number } | undefined {
    const region = this.#regions.find(address);
    if (region !== undefined) return region.kind === "code" ? region.rows.functionAt(address) : undefined;
    const piece = this.#currentPiece(address);
    const found = piece?.rows?.functionAt(address - piece.bias);
    return piece && found && { start: found.start + piece.bias, end: found.end + piece.bias };
  }

  /** Where the code that an address stands for is: somewhere else for what lies in a trampoline. */
  original(ip: number): number {
    const region = this.#regions.find(ip);
    return region?.kind === "trampoline" ? region.original(ip) : ip;
  }

  /** The memory that a stack pointer points into, if it can be a stack. */
  areaOf(stackPointer: number): StackArea | undefined {
    const found = this.#areas.find(stackPointer);
    if (found !== undefined || this.#refreshedFor === this.#stop) return found;
    this.refresh();
    return this.#areas.find(stackPointer);
  }

  /**
   * Whether a thread's own stack is there: the kernel's for the first thread, or
   * the block that the C library made it with. A stack anywhere else is a
   * coroutine's, or a segment of a split stack: what else the thread has on others
   * cannot be seen.
   */
  isOwnStack(area: StackArea, stackPointer: number, threadPointer: number): boolean {
    if (area.isFirst) return true;
    const stack = this.blockOf(threadPointer);
    return stack !== undefined && stack.start <= stackPointer && stackPointer < stack.end;
  }

  /** The stack that the C library has made a thread with; undefined for the first thread, and where there is nothing like it. */
  blockOf(threadPointer: number): StackArea | undefined {
    if (!this.#threadStacks.has(threadPointer)) {
      const around = this.#areas.find(threadPointer);
      const read = (address: number, length: number): Buffer | undefined => this.#memory.read(address, length);
      this.#threadStacks.set(threadPointer, around && threadStack(threadPointer, around, read));
    }
    return this.#threadStacks.get(threadPointer);
  }

  /** The kernel's stack for the process's first thread. */
  firstStack(): StackArea | undefined {
    return this.#areas.all.find(({ isFirst }) => isFirst);
  }

  /** The words of some memory, not exact above 2^53; undefined where not all of it can be read. */
  words(start: number, end: number): Float64Array | undefined {
    const bytes = this.#memory.read(start, end - start);
    if (bytes === undefined) return undefined;
    const order = nativeWords();
    const words = new Float64Array(bytes.length >> 3);
    for (let at = 0; at < words.length; at++) words[at] = order.size(bytes, 8 * at);
    return words;
  }

  /** Whether there may be code at an address. */
  isCode(address: number): boolean {
    return this.#regions.find(address) !== undefined || this.#pieces.find(address) !== undefined;
  }

  /** The thread pointer of a thread whose outermost frame ends here, as far as it can be guessed. */
  threadPointerAbove(end: number): number | undefined {
    const area = this.#areas.find(end);
    const read = (address: number, length: number): Buffer | undefined => this.#memory.read(address, length);
    return area && threadPointerAbove(end, area, read);
  }

  /** For messages: the address, and what of it lies there. */
  describe(address: number): string {
    const piece = this.#pieces.find(address);
    const hex = `0x${address.toString(16)}`;
    return piece === undefined || piece.name === ""
      ? hex
      : `${hex} (${piece.name}+0x${(address - piece.bias).toString(16)})`;
  }

  #currentPiece(address: number): Piece | undefined {
    const piece = this.#pieces.find(address);
    if (piece !== undefined && this.#isStillThere(piece)) return piece;
    if (this.#refreshedFor === this.#stop) return piece;
    this.refresh();
    return this.#pieces.find(address);
  }

  /** A library may have been unloaded, and another one loaded to the same place, since the mappings were read. */
  #isStillThere({ loaded }: Piece): boolean {
    if (loaded === undefined || loaded.checkedFor === this.#stop) return true;
    loaded.checkedFor = this.#stop;
    const { base, beginning } = loaded;
    if (base === undefined || beginning === undefined) return true;
    return this.#memory.read(base, BEGINNING)?.equals(beginning) === true;
  }
}

const NOT_CODE = problemRow("it is no code of the process");

function rowInRegion(region: Region, address: number): FrameRow {
  switch (region.kind) {
    case "stub":
      return asEnteredRow();
    case "code":
      return region.rows.at(address) ?? problemRow("no frame information of the patch covers it");
    case "trampoline":
      return problemRow("it returns into a trampoline");
  }
}

function isSamePiece(a: Piece, b: Piece): boolean {
  return (
    a.start === b.start &&
    a.end === b.end &&
    a.bias === b.bias &&
    a.loaded !== undefined &&
    a.loaded.image === b.loaded?.image &&
    (a.loaded.beginning === b.loaded.beginning || a.loaded.beginning?.equals(b.loaded.beginning ?? EMPTY) === true)
  );
}

const EMPTY = Buffer.alloc(0);
