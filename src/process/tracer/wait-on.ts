/** Has a thread wait on in the system call that it was stopped in, to see where it sleeps: see find-call.ts. */
import { nativeLinux } from "../os/native.ts";
import type { Os } from "../os/os.ts";
import type { WaitStatus } from "../os/wait-status.ts";
import type { Tracee } from "./tracee.ts";

/** How often the kernel is asked where a thread sleeps, of one that does sleep. */
const LOOKS = 100;
/** Milliseconds for which one is waited for that has no processor. */
const BUSY_MS = 10_000;

/** What became of a thread that was let wait on: the call that it has slept in, if that is known, or a signal that it stops for. */
export interface WaitedOn {
  readonly call?: number;
  /** It has not been taken: see `Tracees`. */
  readonly signal: number;
}

/**
 * Lets a thread that stands still wait on in the call that it is in, and has it stop again, at the end of that
 * call or for a signal before it.
 *
 * @param take what else has happened to it, by which it is no more
 */
export function waitOn(tracee: Tracee, os: Os, take: (status: WaitStatus | "lost") => void): WaitedOn {
  const { pid, tid } = tracee;
  const registers = tracee.registers()?.copy();
  if (registers === undefined) return { signal: 0 };
  const { callThatSleepsIn } = nativeLinux();
  const comesTo = (block: boolean): Step => nextStep(tracee, os, { block, take });
  tracee.drive("to-system-call", 0);
  const entry = comesTo(true);
  if (entry.kind !== "system-call") return { signal: signalOf(entry) };
  tracee.drive("to-system-call", 0);
  const deadline = os.now() + BUSY_MS;
  let call: number | undefined;
  for (let looks = 0; looks < LOOKS && os.now() < deadline; os.pause()) {
    const exit = comesTo(false);
    if (exit.kind !== "none") return { signal: signalOf(exit) };
    const place = os.sleepsIn(pid, tid);
    call = place === undefined ? undefined : callThatSleepsIn(place, registers);
    if (call !== undefined) break;
    if (os.threadState(pid, tid) === "S") looks++;
  }
  os.interrupt(tid);
  const signal = signalOf(comesTo(true));
  return call === undefined ? { signal } : { call, signal };
}

type Step =
  | { readonly kind: "system-call" }
  | { readonly kind: "signal"; readonly signal: number }
  | { readonly kind: "none" }
  | { readonly kind: "gone" };

const NONE: Step = { kind: "none" };
const GONE: Step = { kind: "gone" };

/** What a thread that is driven comes to next. `none` only where that is not waited for. */
function nextStep(
  tracee: Tracee,
  os: Os,
  { block, take }: { readonly block: boolean; readonly take: (status: WaitStatus | "lost") => void },
): Step {
  const { tid } = tracee;
  for (;;) {
    const found = os.look(tid, block);
    if (found.kind === "signal") return found;
    if (found.kind === "nothing") return NONE;
    if (found.kind === "interrupted") continue;
    const status = found.kind === "no-tracee" ? found : os.wait(tid, false);
    switch (status.kind) {
      case "system-call":
        return status;
      // A SIGTRAP, which is not told by looking.
      case "signal":
        return os.isFromStopPoint(tid) ? { kind: "signal", signal: 0 } : status;
      case "stop":
        tracee.drive("to-system-call", 0);
        continue;
      case "ended":
      case "exec":
        take(status);
        return GONE;
      case "no-tracee":
        take("lost");
        return GONE;
      case "interrupted":
      case "nothing":
    }
  }
}

function signalOf(step: Step): number {
  return step.kind === "signal" ? step.signal : 0;
}
