/** What the architecture is that we run on, which is that of every process that we can trace. */
import type { LinuxAbi } from "../../arch/linux-abi.ts";
import type { UnwindAbi } from "../../arch/unwind-abi.ts";
import { LINUX_X86_64 } from "../../arch/x86_64/linux.ts";
import { UNWIND_X86_64 } from "../../arch/x86_64/unwind.ts";
import { SutureError } from "../../lib/error.ts";

interface Native {
  readonly linux: LinuxAbi;
  readonly unwind: UnwindAbi;
}

const KNOWN: { readonly [arch: string]: Native } = { x64: { linux: LINUX_X86_64, unwind: UNWIND_X86_64 } };

/** Throws `MACHINE_UNSUPPORTED`. */
function native(): Native {
  const abi = KNOWN[process.arch];
  if (abi !== undefined) return abi;
  throw new SutureError("MACHINE_UNSUPPORTED", `processes of this architecture cannot be patched: ${process.arch}`, {
    hint: `it can be done on: ${Object.keys(KNOWN).join(", ")}`,
  });
}

let linux: LinuxAbi | undefined;
let unwind: UnwindAbi | undefined;

/** Throws `MACHINE_UNSUPPORTED`. */
export function nativeLinux(): LinuxAbi {
  linux ??= native().linux;
  return linux;
}

/** Throws `MACHINE_UNSUPPORTED`. */
export function nativeUnwind(): UnwindAbi {
  unwind ??= native().unwind;
  return unwind;
}
