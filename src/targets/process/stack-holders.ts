/** Who would hold a livepatch up: the threads whose stacks are in its way now. One stop of all threads; nothing is changed. */
import { basename } from "node:path";
import { HeldCode } from "../../core/held-code.ts";
import { type Hold, type Holder, holdBySuspended, holdOf, NO_TASK } from "../../core/holder.ts";
import type { Code, Frame, Site, Stack, StopCost, TaskId } from "../../core/machine.ts";
import { Unstoppable } from "../../core/unstoppable.ts";
import { planOfTransition } from "../../core/view.ts";
import type { Refusal } from "../../patch/refusal.ts";
import { dispatchRefused } from "../../process/machine/dispatched-calls.ts";
import type { ObservedProcess } from "../../process/machine/observed-process.ts";
import type { LoadedObject } from "../../process/maps/loaded-object.ts";
import type { ProcessView } from "../../process/maps/process-view.ts";
import type { CostRecord, HolderRecord } from "../verb-result.ts";
import { neverReturns, type Plan } from "./plan.ts";
import { holderRecord } from "./verb-records.ts";

/** What was seen in one stop; a moment later it may be otherwise. */
export interface Holders {
  readonly holders: readonly HolderRecord[];
  /** Refusals of functions that were entered first of all, and return when their thread ends; and of a process that can do nothing for us. */
  readonly never: readonly Refusal[];
  readonly cost: CostRecord;
}

/** What does not matter for who is in the way. */
const BEGINNING = { objects: [], kind: "patch", phase: "before", loading: true, called: [] } as const;

/**
 * Who would be in the way of the plan's patch, were it enabled now, by the same rules
 * as the core's. A thread that does not stop counts as in the way.
 */
export function holdersOf({ patch }: Plan, view: ProcessView, process: ObservedProcess): Holders {
  const record = process.core;
  const layer = { patch: patch.name, objects: patch.objects.map(({ name }) => name) };
  const to = patch.replace ? [layer] : [...record.layers, layer];
  const patches = [...record.patches, { ...patch, forced: false }];
  const transition = { from: record.layers, to, reversed: false } as const;
  const held = new HeldCode(
    planOfTransition({ ...record, patches }, { ...BEGINNING, ...transition, patch: patch.name }),
  );
  const { stacks, cost, isDispatching } = look(process, held);
  const found = stacks.flatMap(({ task, hold }): Holder[] =>
    hold === undefined ? [] : [{ task, hold, doing: process.doing(task) }],
  );
  const sites = patch.objects.flatMap(({ funcs }) => funcs.map(({ site }) => site));
  const first = new Set(stacks.flatMap(({ stack }) => enteredFirst(stack, sites, view.objects)));
  return {
    holders: found.map((holder) => holderRecord(view.pid, holder)),
    never: [
      ...[...first].map((site) => neverReturns(site, `${view.status.name} (${view.pid})`)),
      ...(isDispatching ? [dispatchRefused(view.pid)] : []),
    ],
    cost: { stopsUs: [cost.stoppedUs], tries: 0, threads: cost.tasks, single: [] },
  };
}

interface Seen {
  readonly task: TaskId;
  readonly stack: Stack;
  readonly hold: Hold | undefined;
}

const NO_STACK: Stack = { kind: "reliable", frames: [] };

/** One stop; where a task does not stop, that is what is seen. */
function look(
  process: ObservedProcess,
  held: HeldCode,
): { readonly stacks: readonly Seen[]; readonly cost: StopCost; readonly isDispatching: boolean } {
  const hasSuspended = process.hasSuspended(held.ranges);
  try {
    let isDispatching = false;
    const { value, cost } = process.stopped((system) => {
      isDispatching = system.tasks.every((task) => process.isDispatching(task));
      const stacks = system.tasks.map((task): Seen => {
        const stack = system.stack(task);
        return { task, stack, hold: holdOf(stack, held) };
      });
      const suspended = hasSuspended ? holdBySuspended(process, held) : undefined;
      return suspended === undefined ? stacks : [...stacks, { task: NO_TASK, stack: NO_STACK, hold: suspended }];
    });
    return { stacks: value, cost, isDispatching };
  } catch (error) {
    if (!(error instanceof Unstoppable)) throw error;
    const hold: Hold = { kind: "obstacle", why: error.message };
    return {
      stacks: [{ task: error.task, stack: NO_STACK, hold }],
      cost: { tasks: 0, stoppedUs: 0 },
      isDispatching: false,
    };
  }
}

/** Sites that a thread was started with: what only the C library's own start code has called. */
function enteredFirst(stack: Stack, sites: readonly Site[], objects: readonly LoadedObject[]): readonly Site[] {
  if (stack.kind === "unreliable") return [];
  const { frames } = stack;
  const first = frames.findLastIndex((frame, index) => !isStartCode(frame, index, frames, objects));
  const frame = frames[first];
  if (frame === undefined || first === frames.length - 1) return [];
  return sites.filter(({ original }) => isIn(frame, original));
}

/** For the first thread, the executable's own entry lies outside of the C library's code. */
function isStartCode(frame: Frame, index: number, frames: readonly Frame[], objects: readonly LoadedObject[]): boolean {
  const object = objectOf(frame, objects);
  if (object === undefined) return false;
  if (/^(libc\.|ld-musl|libpthread)/.test(object.dynamic?.soname ?? basename(object.path))) return true;
  const inner = index === frames.length - 1 && object.isExecutable ? frames[index - 1] : undefined;
  return inner !== undefined && objectOf(inner, objects)?.isExecutable === false;
}

function objectOf({ ip }: Frame, objects: readonly LoadedObject[]): LoadedObject | undefined {
  return objects.find(({ elf }) => ip >= elf.start && ip < elf.end);
}

/** An address that is returned to may lie just behind the function that calls. */
function isIn({ ip, isReturn }: Frame, { ranges }: Code): boolean {
  const at = isReturn ? ip - 1 : ip;
  return ranges.some(({ start, end }) => start <= at && at < end);
}
