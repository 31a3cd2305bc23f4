import { SutureError } from "./error.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** A life in which a signal to this process ends work in order instead of ending the process. */
export interface Interrupt extends Disposable {
  readonly signal: AbortSignal;
}

/**
 * The first SIGINT, SIGTERM or SIGHUP aborts `signal` with `INTERRUPTED`; the
 * second ends the process at once with exit code 1 (exit handlers still run,
 * so programs are killed and temporary directories removed).
 */
export function catchInterrupts(): Interrupt {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) process.exit(1);
    controller.abort(new SutureError("INTERRUPTED", `stopped by ${name}; nothing was left behind`));
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const name of SIGNALS) process.off(name, onSignal);
    },
  };
}

/** The error to throw because `signal` was aborted. */
export function abortReason(signal: AbortSignal): unknown {
  if (signal.reason instanceof SutureError) return signal.reason;
  return new SutureError("INTERRUPTED", "stopped before it was done", { cause: signal.reason });
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortReason(signal);
}
