import { textIfThere } from "../../lib/if-there.ts";
import { alarmClock } from "./alarm-clock.ts";
import { nativeLinux } from "./native.ts";
import type { Os } from "./os.ts";
import { isFromStopPoint, isStopPointPending } from "./perf-event.ts";
import { detach, interrupt, readRegisters, resume, seize, suspendSeccomp, writeRegisters } from "./ptrace.ts";
import { Sharers } from "./sharers.ts";
import { trapUnblocked } from "./signal-mask.ts";
import { isKernelHelper, statusField, threadCount, threadState, threadsOf, tracerOf } from "./thread-list.ts";
import { look, lookForAny, wait } from "./wait.ts";

/** About what it takes a thread to be given a processor. */
const PAUSE_MS = 0.03;
/** Nobody changes it. */
const NEVER = new Int32Array(new SharedArrayBuffer(4));

/** The system that we run on. */
export const LINUX: Os = {
  newRegisters: () => nativeLinux().newRegisters(),
  ...{ seize, interrupt, resume, detach, readRegisters, writeRegisters, suspendSeccomp },
  ...{ isFromStopPoint, isStopPointPending, trapUnblocked },
  ...{ look, lookForAny, wait, alarmClock },
  now: () => performance.now(),
  pause: () => void Atomics.wait(NEVER, 0, 0, PAUSE_MS),
  ...{ threadsOf, threadCount, threadState, tracerOf, isKernelHelper },
  seccompMode: (pid, tid) => {
    const mode = statusField(pid, tid, "Seccomp");
    return mode === undefined ? undefined : Number(mode);
  },
  sleepsIn: (pid, tid) => {
    const place = textIfThere(`/proc/${pid}/task/${tid}/wchan`);
    // Also of one that says to sleep, and has not left the processor yet.
    if (place === "0") return "";
    return place === "" ? undefined : place;
  },
  childWaitedFor,
  findSharers: (groups) => new Sharers(groups),
};

function childWaitedFor(pid: number, tid: number): { readonly pid: number; readonly name: string } | undefined {
  const call = Number.parseInt(textIfThere(`/proc/${pid}/task/${tid}/syscall`), 10);
  if (!nativeLinux().makesChild.has(call)) return undefined;
  const child = Number(textIfThere(`/proc/${pid}/task/${tid}/children`).split(" ").at(0));
  return child > 0 ? { pid: child, name: statusField(child, child, "Name") ?? "it" } : undefined;
}
