import { CONSISTENCY_MODELS, type Consistency, USUAL_MODEL } from "../core/consistency.ts";
import type { Options, OptionValues } from "./command.ts";
import { usage } from "./usage.ts";

/** The options with which a command that takes a livepatch file lets processes be chosen. */
export const processOptions = {
  pid: { kind: "pid", value: "N", many: true, summary: "this process; may be given more than once" },
  all: { kind: "flag", summary: "all processes that have loaded what the livepatch patches, told by build-id" },
} as const satisfies Options;

/** The same for commands on patches that are loaded. */
export const patchedOptions = {
  pid: { kind: "pid", value: "N", many: true, summary: "this process; default: wherever the patch is" },
  target: {
    kind: "text",
    value: "WHERE",
    summary: "kernel or processes: where the patch is meant, if both have one of its name",
  },
} as const satisfies Options;

/** Of commands that start a transition. */
export const transitionOptions = {
  consistency: {
    kind: "text",
    value: "MODEL",
    summary:
      "in processes: stop: all threads switch at once; lazy: each at its own time, others run on; hybrid (default): one try of stop, then lazy",
  },
  timeout: {
    kind: "seconds",
    value: "S",
    summary: "then the transition is turned back; default 10, and 60 for the kernel",
  },
  keep: { kind: "flag", summary: "when time is over, leave the transition as it is instead of turning it back" },
} as const satisfies Options;

/**
 * The processes that a livepatch file is for: those with these numbers, each once, or
 * all that have loaded what it patches.
 */
export type Choice = { readonly kind: "all" } | { readonly kind: "pids"; readonly pids: readonly number[] };

/** undefined where none is given. Throws `USAGE` where --pid is beside --all. */
export function processChoice({ pid, all }: OptionValues<typeof processOptions>, command: string): Choice | undefined {
  if (all && pid.length > 0) throw usage("--pid and --all exclude each other", command);
  if (all) return { kind: "all" };
  return pid.length === 0 ? undefined : { kind: "pids", pids: pidsOf(pid, command) };
}

/** Where a patch is that is loaded: `any` is wherever one of its name is. */
export type PatchedChoice =
  | { readonly kind: "pids"; readonly pids: readonly number[] }
  | { readonly kind: "any" | "kernel" | "processes" };

/** Throws `USAGE`. */
export function patchedChoice({ pid, target }: OptionValues<typeof patchedOptions>, command: string): PatchedChoice {
  if (pid.length > 0 && target !== undefined) throw usage("--pid and --target exclude each other", command);
  if (pid.length > 0) return { kind: "pids", pids: pidsOf(pid, command) };
  if (target === undefined) return { kind: "any" };
  if (target !== "kernel" && target !== "processes")
    throw usage(`--target takes kernel or processes, not '${target}'`, command);
  return { kind: target };
}

function pidsOf(texts: readonly string[], command: string): number[] {
  const pids = texts.map((text) => {
    if (!/^[1-9]\d{0,8}$/.test(text)) throw usage(`--pid takes a process's number, not '${text}'`, command);
    return Number(text);
  });
  return [...new Set(pids)];
}

/** How a transition is to go, as it was typed. The kernel has its own model, and does not look at `consistency`. */
export interface TransitionChoice {
  readonly consistency: Consistency;
  /** undefined: what is usual for the target. */
  readonly timeoutSeconds: number | undefined;
  /** Leave a transition as it is when time is over. */
  readonly keep: boolean;
}

/** Throws `USAGE`. */
export function transitionChoice(
  { consistency, timeout, keep }: Partial<OptionValues<typeof transitionOptions>>,
  command: string,
): TransitionChoice {
  const model = CONSISTENCY_MODELS.find((each) => each === (consistency ?? USUAL_MODEL));
  if (model === undefined)
    throw usage(`--consistency takes ${CONSISTENCY_MODELS.join(", ")}, not '${consistency}'`, command);
  return { consistency: model, timeoutSeconds: timeout, keep: keep === true };
}
