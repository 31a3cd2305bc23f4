import type { Options, OptionValues } from "./command.ts";
import { usage } from "./usage.ts";

/** The options with which a command on running programs lets processes be chosen. */
export const processOptions = {
  pid: { kind: "integer", value: "N", many: true, summary: "this process; may be given more than once" },
  all: { kind: "flag", summary: "all processes that have loaded what the livepatch patches, told by build-id" },
} as const satisfies Options;

/** The same for commands on patches that are loaded. */
export const patchedOptions = {
  pid: { kind: "integer", value: "N", many: true, summary: "this process; default: all that have the patch" },
} as const satisfies Options;

/** Of commands that start a transition. */
export const transitionOptions = {
  consistency: {
    kind: "text",
    value: "MODEL",
    summary:
      "stop: all threads switch at once; lazy: each at its own time, others run on; hybrid (default): one try of stop, then lazy",
  },
  timeout: { kind: "seconds", value: "S", summary: "then the transition is turned back; default 10" },
  keep: { kind: "flag", summary: "when time is over, leave the transition as it is instead of turning it back" },
} as const satisfies Options;

export type Choice = { readonly kind: "all" } | { readonly kind: "pids"; readonly pids: readonly number[] };

/** Throws `USAGE` where no process is given, or --pid beside --all. */
export function processChoice({ pid, all }: OptionValues<typeof processOptions>, command: string): Choice {
  if (all && pid.length > 0) throw usage("--pid and --all exclude each other", command);
  if (all) return { kind: "all" };
  if (pid.length === 0) throw usage("no process is given: --pid N, or --all", command);
  return { kind: "pids", pids: pidsOf(pid, command) };
}

/** All where none is given. */
export function patchedChoice({ pid }: OptionValues<typeof patchedOptions>, command: string): Choice {
  return pid.length === 0 ? { kind: "all" } : { kind: "pids", pids: pidsOf(pid, command) };
}

function pidsOf(texts: readonly string[], command: string): number[] {
  const pids = texts.map((text) => {
    if (!/^[1-9]\d{0,8}$/.test(text)) throw usage(`--pid takes a process's number, not '${text}'`, command);
    return Number(text);
  });
  return [...new Set(pids)];
}

const MODELS = ["stop", "lazy", "hybrid"] as const;
export type Consistency = (typeof MODELS)[number];

const DEFAULT_SECONDS = 10;

/** Throws `USAGE`. */
export function transitionChoice(
  { consistency, timeout, keep }: Partial<OptionValues<typeof transitionOptions>>,
  command: string,
): { readonly consistency: Consistency; readonly timeoutSeconds: number; readonly keep: boolean } {
  const model = MODELS.find((each) => each === (consistency ?? "hybrid"));
  if (model === undefined) throw usage(`--consistency takes ${MODELS.join(", ")}, not '${consistency}'`, command);
  return { consistency: model, timeoutSeconds: timeout ?? DEFAULT_SECONDS, keep: keep === true };
}
