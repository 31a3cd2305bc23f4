/** Why a task cannot switch yet: data, and in words. */
import type { HeldCode } from "./held-code.ts";
import type { Doing, Machine, Stack, TaskId } from "./machine.ts";

/** What keeps a task where it is. It may have gone by the time it is told. */
export type Hold =
  /** Inside a function whose version it would leave; `frame` counts from the innermost, 0. */
  | { readonly kind: "function"; readonly site: string; readonly patch: string | undefined; readonly frame: number }
  /** Inside other code of a patch that is left. */
  | { readonly kind: "patch"; readonly patch: string; readonly frame: number }
  | { readonly kind: "unreliable"; readonly why: string }
  /** Stands where bytes have to be written. */
  | { readonly kind: "obstacle"; readonly why: string }
  /** A stack that is no task's will come to the code; the task says nothing. */
  | { readonly kind: "suspended"; readonly why: string }
  /** Nothing is in its way, it only has not been looked at again. */
  | { readonly kind: "unseen" };

/** Of a hold that is no task's. */
export const NO_TASK: TaskId = 0;

/**
 * A task that is in the way of a transition, and what is known of it. `task` is
 * `NO_TASK` for a stack that is no task's.
 */
export interface Holder {
  readonly task: TaskId;
  readonly hold: Hold;
  readonly doing: Doing;
}

/** undefined where the task can switch. The frame that is named is the one that has to return: the outermost. */
export function holdOf(stack: Stack, held: HeldCode): Hold | undefined {
  const frame = held.outermost(stack);
  const by = frame < 0 ? undefined : held.holderOf(stack.frames[frame] as Stack["frames"][number]);
  if (by?.site !== undefined) return { kind: "function", site: by.site, patch: by.patch, frame };
  if (by?.patch !== undefined) return { kind: "patch", patch: by.patch, frame };
  return stack.kind === "unreliable" ? holdOfUnreliable(stack, held) : undefined;
}

/** Where nothing that the task may come to is in the code, it can switch, whatever its frames are. */
function holdOfUnreliable(stack: Extract<Stack, { kind: "unreliable" }>, held: HeldCode): Hold | undefined {
  const addresses = stack.mayReach?.();
  if (addresses === undefined) return { kind: "unreliable", why: stack.why };
  const by = held.firstAround(addresses);
  if (by === undefined) return undefined;
  const where = by.site === undefined ? `new code of ${by.patch}` : describeSite(by.site);
  return { kind: "unreliable", why: `${stack.why}, and an address inside ${where} lies on its stack` };
}

/** A stack that is no task's, and will come to an address of the code. */
export function holdBySuspended(machine: Pick<Machine, "suspendedIn">, held: HeldCode): Hold | undefined {
  const found = machine.suspendedIn(held.ranges);
  if (found === undefined) return undefined;
  const by = held.firstAround([found.address]);
  const inside = by?.site === undefined ? `new code of ${by?.patch ?? "a livepatch"}` : describeSite(by.site);
  return { kind: "suspended", why: `an address inside ${inside} lies ${found.where}: a suspended coroutine?` };
}

/** One line, for instance `inside sdscatlen (redis-server) at frame 3; blocked in futex`. */
export function describeHolder({ hold, doing }: Holder): string {
  if (hold.kind === "suspended") return hold.why;
  const does = doing.kind === "running" ? "running" : `blocked in ${doing.in}`;
  return `${describeHold(hold)}; ${does}`;
}

function describeHold(hold: Hold): string {
  switch (hold.kind) {
    case "function":
      return `inside ${describeSite(hold.site)}${hold.patch === undefined ? "" : ` of ${hold.patch}`} at frame ${hold.frame}`;
    case "patch":
      return `inside new code of ${hold.patch} at frame ${hold.frame}`;
    case "unreliable":
      return `unreliable stack: ${hold.why}`;
    case "obstacle":
    case "suspended":
      return hold.why;
    case "unseen":
      return "not looked at yet";
  }
}

/** The parts of `redis-server:sdscatlen,0`; undefined for other ids. */
export function siteParts(
  id: string,
): { readonly object: string; readonly name: string; readonly position: string } | undefined {
  const [, object, name, position] = /^(.*):([^:]*),(\d+)$/.exec(id) ?? [];
  return object === undefined || name === undefined || position === undefined ? undefined : { object, name, position };
}

/** `redis-server:sdscatlen,0` as `sdscatlen (redis-server)`. */
export function describeSite(id: string): string {
  const parts = siteParts(id);
  if (parts === undefined) return id;
  const { object, name, position } = parts;
  return position === "0" ? `${name} (${object})` : `${name} (${object}, the one at position ${position})`;
}
