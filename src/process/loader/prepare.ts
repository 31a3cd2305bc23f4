/** What a livepatch will be in one process, found out before anything is changed there. */

import type { Code, CodeRange, Site } from "../../core/machine.ts";
import type { CallbackName } from "../../patch/program-metadata.ts";
import { type ProgramFuncRecord, siteName } from "../../patch/program-metadata.ts";
import { isRefusal, type Refusal, refusal } from "../../patch/refusal.ts";
import { noRoom } from "../hooks/room.ts";
import type { LoadedObject } from "../maps/loaded-object.ts";
import type { ReadMemory } from "../maps/mapped-elf.ts";
import { nextFunction } from "../maps/next-function.ts";
import type { ProcessView } from "../maps/process-view.ts";
import { PAGE } from "../os/native.ts";
import type { LoadedPart } from "../store/load-record.ts";
import type { BoundObject } from "./bind.ts";
import { type Layout, layOut } from "./layout.ts";
import type { PatchedProcess } from "./patched-process.ts";
import { type PlacedObject, place } from "./place.ts";
import { Resolver } from "./resolve.ts";
import { unwindingOf } from "./unwinding.ts";

/** A function, where it lies in this process, and its new version where that will lie. */
export interface PreparedFunc {
  readonly site: Site;
  readonly paddingEnd: number | undefined;
  readonly patched: Code;
}

/** One object's part, ready to be written to memory that is not mapped yet; addresses are those it will have. */
export interface PreparedObject {
  readonly bound: BoundObject;
  readonly executable: CodeRange;
  readonly writable: CodeRange | undefined;
  readonly placed: PlacedObject;
  /** Whether the program's own unwinder has to know of the new code; else it is told if that can be. */
  readonly needsUnwinder: boolean;
  readonly funcs: readonly PreparedFunc[];
  readonly callbacks: { readonly [Name in CallbackName]?: number };
  /** Whether it is mapped already, by an earlier load of the same file. */
  readonly isKept: boolean;
}

/** What of ours has its place already. */
export interface PlacedBefore {
  /** Rooms that were found for other objects and are not mapped yet. */
  readonly taken: readonly CodeRange[];
  /** Where the process's shadow variables are or will be. */
  readonly shadows: number;
  /**
   * What an unloaded livepatch from the same file has left mapped: it is used again, with
   * the data that is there, where it holds the very code that would be placed.
   */
  readonly kept?: LoadedPart | undefined;
}

/**
 * Finds room for one object's part and makes its contents ready for it. Nothing
 * is changed. Refusals: those of the resolver, of `place` and of `unwindingOf`, `INTERPOSED`, `NO_ROOM_IN_REACH`.
 */
export function prepareObject(
  bound: BoundObject,
  { objects, read }: Pick<ProcessView, "objects" | "read">,
  process: Pick<PatchedProcess, "room">,
  { taken, shadows, kept }: PlacedBefore,
): PreparedObject | Refusal {
  const { part, loaded } = bound;
  const unwinding = unwindingOf(part, objects, read);
  if (unwinding.kind === "refused") return unwinding.refusal;
  const unwinder = unwinding.kind === "told" ? unwinding.unwinder : undefined;
  const layout = layOut(part, unwinder !== undefined);
  const resolver = new Resolver(loaded, objects, read);
  const interposed = part.record.funcs.map((func) => interposedBy(func, loaded, resolver)).find(isRefusal);
  if (interposed !== undefined) return interposed;
  const placedIn = ({ executable, writable }: Room): Placed | Refusal => {
    const at = { executable: executable.start, writable: writable?.start ?? executable.end };
    const placed = place(part, layout, { at, resolver, shadows, unwinder });
    return isRefusal(placed) ? placed : { executable, writable, placed };
  };
  const again = kept && placedIn(kept);
  if (isRefusal(again)) return again;
  const isKept = again !== undefined && holds(again.executable, again.placed.executable, read);
  const placedAnew = (): Placed | Refusal => {
    const room = roomFor(layout, loaded, process, taken);
    return isRefusal(room) ? room : placedIn(room);
  };
  const made = isKept ? again : placedAnew();
  if (isRefusal(made)) return made;
  const funcs = part.record.funcs.map((func, index): PreparedFunc => {
    const { bias } = loaded.elf;
    const entry = bias + func.address;
    const ranges = func.ranges.map(([start, end]) => ({ start: bias + start, end: bias + end }));
    const last = ranges.find((each) => each.start <= entry && entry < each.end)?.end ?? entry;
    return {
      site: { id: siteName(part.record.name, func), original: { entry, ranges } },
      paddingEnd: func.padding === undefined ? nextFunction(loaded, last - 1, read) : last + func.padding,
      patched: made.placed.funcs[index] ?? { entry: 0, ranges: [] },
    };
  });
  const needsUnwinder = unwinding.kind === "told" && unwinding.isNeeded;
  return { needsUnwinder, bound, ...made, funcs, callbacks: made.placed.callbacks, isKept };
}

/** Of a function whose callers get another object's: new code would call a version that is not theirs. */
function interposedBy(
  { address, name }: ProgramFuncRecord,
  { path }: LoadedObject,
  resolver: Resolver,
): Refusal | undefined {
  const other = resolver.interposer(address);
  if (other === undefined) return undefined;
  return refusal(
    "INTERPOSED",
    `${name} of ${path} is not the one that runs: who calls ${other.name} gets that of ${other.object.path}`,
    other.object.path,
    "build a livepatch for the object whose definition is taken",
  );
}

interface Room {
  readonly executable: CodeRange;
  readonly writable?: CodeRange | undefined;
}

type Placed = Pick<PreparedObject, "executable" | "writable" | "placed">;

function holds({ start, end }: CodeRange, code: Buffer, read: ReadMemory): boolean {
  return code.length <= end - start && read(start, code.length).equals(code);
}

function roomFor(
  layout: Layout,
  { elf, path }: LoadedObject,
  process: Pick<PatchedProcess, "room">,
  taken: readonly CodeRange[],
): Room | Refusal {
  const pages = (bytes: number): number => Math.ceil(bytes / PAGE) * PAGE;
  const code = Math.max(PAGE, pages(layout.executable));
  const size = code + pages(layout.writable);
  // Room that lies beside what was found before would be found again: ask for more, and take what is behind.
  const before = taken.reduce((sum, { start, end }) => sum + end - start, 0);
  const found = process.room({ start: elf.start, end: elf.end }, size + before);
  if (found === undefined) return noRoom(elf, size + before, path);
  const free = freeWithin(found, size, taken);
  if (free === undefined) {
    const what = `no ${size} bytes are free within reach of what is patched`;
    return refusal("NO_ROOM_IN_REACH", what, path, "load livepatches of fewer objects at a time");
  }
  const border = free.start + code;
  const writable = layout.writable === 0 ? undefined : { start: border, end: free.start + size };
  return { executable: { start: free.start, end: border }, writable };
}

/** A part of `found` that none of `taken` overlaps; undefined where there is none. */
function freeWithin(found: CodeRange, size: number, taken: readonly CodeRange[]): CodeRange | undefined {
  let start = found.start;
  for (const each of taken.toSorted((a, b) => a.start - b.start))
    if (each.start < start + size && each.end > start) start = each.end;
  return start + size > found.end ? undefined : { start, end: start + size };
}
