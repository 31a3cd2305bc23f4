/** Transitions as they were seen, each a picture over time. */
import type { LiveLivepatch } from "../status/live.ts";

/** How many are behind at one moment: tasks of the kernel, or processes of a program. */
export interface TransitionPoint {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly behind: number;
}

/** One transition, from the first look at which it was seen. */
export interface SeenTransition {
  readonly name: string;
  readonly where: string;
  readonly direction: "enabling" | "disabling";
  /** The oldest first. */
  readonly points: readonly TransitionPoint[];
  /** When it was first seen to be over, milliseconds since 1970. */
  readonly ended?: number | undefined;
}

/** Of one transition; every second one of older looks is forgotten beyond that. */
const MOST_POINTS = 600;
const MOST_TRANSITIONS = 50;

/** Keeps the last transitions that its looks have come upon. */
export class Transitions {
  readonly #seen: (SeenTransition & { points: TransitionPoint[]; ended?: number | undefined })[] = [];

  /** @param live what is loaded now */
  look(live: readonly LiveLivepatch[], at: number): void {
    const moving = live.flatMap(({ name, where, state, isKernel, holders, pids }) =>
      state === "enabling" || state === "disabling"
        ? [{ name, where, direction: state, behind: isKernel ? holders.length : pids.length }]
        : [],
    );
    for (const open of this.#seen.filter(({ ended }) => ended === undefined)) {
      const isMoving = moving.some((each) => isSame(each, open));
      if (!isMoving) {
        open.ended = at;
        open.points.push({ at, behind: 0 });
      }
    }
    for (const { behind, ...which } of moving) {
      let open = this.#seen.find((each) => each.ended === undefined && isSame(each, which));
      if (open === undefined) {
        open = { ...which, points: [] };
        this.#seen.push(open);
        if (this.#seen.length > MOST_TRANSITIONS) this.#seen.shift();
      }
      open.points.push({ at, behind });
      if (open.points.length > MOST_POINTS) open.points = open.points.filter((_, index) => index % 2 === 0);
    }
  }

  /** The newest first. */
  get all(): readonly SeenTransition[] {
    return this.#seen.toReversed();
  }
}

type Which = Pick<SeenTransition, "name" | "where" | "direction">;

function isSame(one: Which, other: Which): boolean {
  return one.name === other.name && one.where === other.where && one.direction === other.direction;
}
