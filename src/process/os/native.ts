/** The machine that we run on, which is that of every process that we can trace. */
import type { CallCode } from "../../arch/call-code.ts";
import type { HookAbi } from "../../arch/hook-abi.ts";
import type { LinuxAbi } from "../../arch/linux-abi.ts";
import type { LoadAbi } from "../../arch/load-abi.ts";
import type { ProcessAbi } from "../../arch/process-abi.ts";
import { processesOfHost } from "../../arch/processes.ts";
import type { UnwindAbi } from "../../arch/unwind-abi.ts";
import type { Words } from "../../elf/words.ts";

interface Native extends ProcessAbi {
  /** EM_* */
  readonly machine: number;
  readonly name: string;
  readonly words: Words;
  /** Type of a relocation that is a whole address. */
  readonly pointer: number;
  relocationSize(type: number): number | undefined;
}

let known: Native | undefined;

/** Throws `MACHINE_NOT_KNOWN`. */
export function native(): Native {
  known ??= found();
  return known;
}

function found(): Native {
  const { name, elf, process: abi } = processesOfHost();
  return {
    ...abi,
    name,
    machine: elf.machine,
    words: elf.words,
    pointer: elf.relocations.pointer,
    relocationSize: (type) => elf.relocationSize(type),
  };
}

/** Tracing, system calls, signals. Throws `MACHINE_NOT_KNOWN`, as all of these. */
export const nativeLinux = (): LinuxAbi => native().linux;
/** Reading stacks. */
export const nativeUnwind = (): UnwindAbi => native().unwind;
/** Telling calls and returns. */
export const nativeCalls = (): CallCode => native().calls;
/** Redirecting functions. */
export const nativeHook = (): HookAbi => native().hook;
/** Placing code. */
export const nativeLoad = (): LoadAbi => native().load;
/** The order of bytes in memory. */
export const nativeWords = (): Words => native().words;

/** What memory is mapped by, bytes: one size on every machine on which processes can be patched so far. */
export const PAGE = 4096;
