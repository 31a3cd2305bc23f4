import { SutureError } from "./error.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * From now on the first SIGINT, SIGTERM or SIGHUP aborts the returned signal
 * with `INTERRUPTED`; the second ends the process at once with exit code 1
 * (exit handlers still run, so programs are killed and temporary directories
 * removed).
 */
export function catchInterrupts(): AbortSignal {
  const controller = new AbortController();
  for (const name of SIGNALS) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(1);
      controller.abort(new SutureError("INTERRUPTED", `stopped by ${name}; nothing was left behind`));
    });
  }
  return controller.signal;
}

/** The error to throw because `signal` was aborted. */
export function abortReason(signal: AbortSignal): unknown {
  if (signal.reason instanceof SutureError) return signal.reason;
  return new SutureError("INTERRUPTED", "stopped before it was done", { cause: signal.reason });
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortReason(signal);
}
