/** waitpid(2) and waitid(2), for tracees and children of this thread. */
import { libc } from "./libc.ts";
import { MOST_SIGNAL, SIGTRAP } from "./signals.ts";
import { INTERRUPTED, NO_TRACEE, NOTHING, type Nothing, type WaitStatus, waitStatus } from "./wait-status.ts";

/** What was found to have happened to a tracee, and not taken. */
export type Found =
  /**
   * It is about to get this signal, which may not be ours. The kernel delivers it as long as nothing is
   * taken, even should we die now; what was taken has to be passed on.
   */
  | { readonly kind: "signal"; readonly signal: number }
  /** Something else, or a SIGTRAP: `wait` takes it and tells. */
  | { readonly kind: "something" };

const EINTR = 4;
const WNOHANG = 1;
const WALL = 0x4000_0000;
const WSTOPPED = 2;
const WEXITED = 4;
const WNOWAIT = 0x0100_0000;
const LOOK = WALL | WSTOPPED | WEXITED | WNOWAIT;
const P_ALL = 0;
const P_PID = 1;
const CLD_TRAPPED = 4;
/** Offsets in `siginfo_t`, as waitid fills it. */
const SIGINFO = { code: 8, pid: 16, status: 24 } as const;

const SOMETHING: Found = { kind: "something" };
const status = new Int32Array(new ArrayBuffer(64));
const info = new Int32Array(new ArrayBuffer(128));

/** What has happened to one tracee, which is then taken. */
export function wait(tid: number, block: boolean): WaitStatus | Nothing {
  const found = libc().waitpid(tid, status, block ? WALL : WALL | WNOHANG);
  if (found === tid) return waitStatus(status[0] as number);
  return found === 0 ? NOTHING : failed();
}

/** Looks for what has happened to one tracee, and takes nothing. */
export function look(tid: number, block: boolean): Found | Nothing {
  info[SIGINFO.pid / 4] = 0;
  if (libc().waitid(P_PID, tid, info, block ? LOOK : LOOK | WNOHANG) !== 0) return failed();
  return info[SIGINFO.pid / 4] === tid ? found() : NOTHING;
}

/**
 * The id of some tracee or child of this thread to which something has happened; undefined
 * where there is none. Nothing is taken: it may be another part of this program that
 * waits for a child.
 */
export function lookForAny(): { readonly tid: number; readonly found: Found } | undefined {
  info[SIGINFO.pid / 4] = 0;
  if (libc().waitid(P_ALL, 0, info, LOOK | WNOHANG) !== 0) return undefined;
  const tid = info[SIGINFO.pid / 4] as number;
  return tid === 0 ? undefined : { tid, found: found() };
}

function found(): Found {
  const signal = info[SIGINFO.status / 4] as number;
  const isSignal = info[SIGINFO.code / 4] === CLD_TRAPPED && signal > 0 && signal <= MOST_SIGNAL;
  return isSignal && signal !== SIGTRAP ? { kind: "signal", signal } : SOMETHING;
}

function failed(): Nothing {
  return libc().errno() === EINTR ? INTERRUPTED : NO_TRACEE;
}
