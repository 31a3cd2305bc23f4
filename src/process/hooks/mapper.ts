/** Memory of the process that is ours: where it goes, and who puts it there. */
import type { CodeRange } from "../../core/machine.ts";
import { SutureError } from "../../lib/error.ts";
import type { Mapping } from "../os/mappings.ts";
import { findRoom, noRoom } from "./room.ts";

/** What a mapping may be used for; none is ever writable and executable. */
export type Protection = "r--" | "r-x" | "rw-";

/** Maps and unmaps inside the process. */
export interface Mapper {
  /** As they were a moment ago, and all that was mapped here. */
  mappings(): readonly Mapping[];
  /** False where something else is there by now; `mappings` knows of it then. */
  map(range: CodeRange, protection: Protection): boolean;
  unmap(range: CodeRange): void;
}

/** How often a place is looked for that the process takes before we do. */
export const MOST_PLACES = 5;

/** A place for new memory: within the reach of a jump from all of `near`. */
export interface Wanted {
  readonly near: CodeRange;
  /** Bytes, whole pages. */
  readonly size: number;
  /** Where else it must not be. */
  readonly taken: readonly CodeRange[];
}

/**
 * Maps memory where `findRoom` finds room. Throws `NO_ROOM_IN_REACH`, `ROOM_TAKEN` and what `map` throws.
 *
 * @param chosen is told the place before it is mapped
 */
export function mapNear(
  mapper: Pick<Mapper, "mappings" | "map">,
  { near, size, taken }: Wanted,
  protection: Protection,
  chosen: (range: CodeRange) => void = () => {},
): CodeRange {
  const reserved = taken.map((range) => ({ ...range, name: "" }));
  for (let tried = 1; ; tried++) {
    const occupied = [...mapper.mappings(), ...reserved].sort((a, b) => a.start - b.start);
    const range = findRoom(occupied, near, size);
    if (range === undefined) {
      const { code, what, hint } = noRoom(near, size, "");
      throw new SutureError(code, what, { hint });
    }
    chosen(range);
    if (mapper.map(range, protection)) return range;
    if (tried === MOST_PLACES) throw roomTaken(range);
  }
}

/** The process was faster, every time. */
export function roomTaken({ start, end }: CodeRange): SutureError {
  return new SutureError("ROOM_TAKEN", "the process has taken that memory meanwhile", {
    where: `0x${start.toString(16)}, ${end - start} bytes`,
    hint: "try again",
  });
}
