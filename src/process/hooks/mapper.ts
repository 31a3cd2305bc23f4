/** Memory of the process that is ours: where it goes, and who puts it there. */
import type { CodeRange } from "../../core/machine.ts";
import { SutureError } from "../../lib/error.ts";
import type { Mapping } from "../os/mappings.ts";
import { findRoom } from "./room.ts";

/** What a mapping may be used for; none is ever writable and executable. */
export type Protection = "r--" | "r-x" | "rw-";

/** Maps and unmaps inside the process. */
export interface Mapper {
  /** As they were a moment ago, and all that was mapped here. */
  mappings(): readonly Mapping[];
  /** Throws `ROOM_TAKEN` where something else is there by now; `mappings` knows of it then. */
  map(range: CodeRange, protection: Protection): void;
  unmap(range: CodeRange): void;
}

/** Code of the error that the process was faster: it may be tried again at another place. */
export const ROOM_TAKEN = "ROOM_TAKEN";

/** How often a place is looked for that the process takes before we do. */
const TRIES = 3;

/** A place for new memory: within the reach of a jump from all of `near`. */
export interface Wanted {
  readonly near: CodeRange;
  /** Bytes, whole pages. */
  readonly size: number;
  /** Where else it must not be. */
  readonly taken: readonly CodeRange[];
}

/**
 * Maps memory where `findRoom` finds room. Throws what that and `map` throw.
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
    chosen(range);
    try {
      mapper.map(range, protection);
      return range;
    } catch (error) {
      const isTaken = error instanceof SutureError && error.code === ROOM_TAKEN;
      if (!isTaken || tried === TRIES) throw error;
    }
  }
}
