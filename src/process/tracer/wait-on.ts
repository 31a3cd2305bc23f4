/** Has a thread wait on in the system call that it was stopped in, to see where it sleeps: see find-call.ts. */
import { nativeLinux } from "../os/native.ts";
import type { Os } from "../os/os.ts";
import type { WaitStatus } from "../os/wait-status.ts";
import type { Tracee } from "./tracee.ts";

/** How often the kernel is asked of a thread that sleeps elsewhere than in its call, as for a page of memory. */
const LOOKS = 100;
/** Milliseconds for which one is waited for that has no processor, or none to fall asleep with. */
const BUSY_MS = 10_000;
const FALLS_ASLEEP_MS = 1000;

/** What became of a thread that was let wait on: the call that it has slept in, if that is known, or a signal that it stops for. */
export interface WaitedOn {
  readonly call?: number;
  /** It has not been taken: see `Tracees`. */
  readonly signal: number;
  /** Whether it has stopped by itself, as for a signal that the program ignores, and may still be in the call. */
  readonly byItself: boolean;
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
  if (registers === undefined) return { signal: 0, byItself: false };
  const { callThatSleepsIn } = nativeLinux();
  const comesTo = (block: boolean): Step => nextStep(tracee, os, { block, take });
  tracee.drive("to-system-call", 0);
  const entry = comesTo(true);
  if (entry.kind !== "system-call") return { signal: signalOf(entry), byItself: true };
  tracee.drive("to-system-call", 0);
  const start = os.now();
  let call: number | undefined;
  for (let looks = 0; looks < LOOKS; os.pause()) {
    const exit = comesTo(false);
    if (exit.kind !== "none") return { signal: signalOf(exit), byItself: true };
    const place = os.sleepsIn(pid, tid);
    if (place === undefined) break;
    call = callThatSleepsIn(place, registers);
    if (call !== undefined) break;
    if (place !== "") looks++;
    else if (os.now() > start + (os.threadState(pid, tid) === "S" ? FALLS_ASLEEP_MS : BUSY_MS)) break;
  }
  os.interrupt(tid);
  const signal = signalOf(comesTo(true));
  return call === undefined ? { signal, byItself: false } : { call, signal, byItself: false };
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
