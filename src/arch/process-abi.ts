/** What patching a running process has to know of a machine. */
import type { CallCode } from "./call-code.ts";
import type { HookAbi } from "./hook-abi.ts";
import type { LinuxAbi } from "./linux-abi.ts";
import type { LoadAbi } from "./load-abi.ts";
import type { UnwindAbi } from "./unwind-abi.ts";

/** One part for each thing that is done in a process; a machine that lacks one has none of them. */
export interface ProcessAbi {
  /** Tracing, system calls, signals. */
  readonly linux: LinuxAbi;
  /** Reading stacks. */
  readonly unwind: UnwindAbi;
  /** Telling calls and returns by their bytes. */
  readonly calls: CallCode;
  /** Redirecting functions. */
  readonly hook: HookAbi;
  /** Placing code. */
  readonly load: LoadAbi;
}
