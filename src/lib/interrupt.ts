import { doLastThings } from "./at-exit.ts";
import { SutureError } from "./error.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** What asks a command to end. */
export interface Interrupts {
  /** Aborted with `INTERRUPTED` by the first SIGINT, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal;
  /**
   * Ends the process by the signal that came, where one did, after all exit
   * handlers: a shell that runs the command in a loop then ends the loop.
   */
  pass(): void;
}

/**
 * From now on the first signal asks and the second one ends the process at once,
 * by that signal too (exit handlers still run, so programs are killed and
 * temporary directories removed).
 */
export function catchInterrupts(): Interrupts {
  const controller = new AbortController();
  let came: NodeJS.Signals | undefined;
  for (const name of SIGNALS) {
    process.on(name, () => {
      if (came !== undefined) endBy(name);
      came = name;
      controller.abort(new SutureError("INTERRUPTED", `stopped by ${name}; nothing was left behind`));
    });
  }
  return {
    signal: controller.signal,
    pass() {
      if (came !== undefined) endBy(came);
    },
  };
}

/** The last exit handler gives the signal its way: without a listener its default action is back. */
function endBy(name: NodeJS.Signals): never {
  process.on("exit", () => {
    // By now the programs that wrote there are ended.
    doLastThings();
    process.removeAllListeners(name);
    process.kill(process.pid, name);
  });
  process.exit(1);
}

/** The error to throw because `signal` was aborted. */
export function abortReason(signal: AbortSignal): unknown {
  if (signal.reason instanceof SutureError) return signal.reason;
  return new SutureError("INTERRUPTED", "stopped before it was done", { cause: signal.reason });
}

/**
 * Throws the signal's reason, as an error that can be told (`abortReason`), if it is
 * aborted; without a signal it does nothing.
 */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortReason(signal);
}
