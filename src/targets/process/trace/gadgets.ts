import type { Mapping } from "../unwind/mappings.ts";
import type { ProcessMemory } from "./memory.ts";

/** Places in the process's own code at which a borrowed thread can be put. */
export interface Gadgets {
  /** A `syscall` instruction; `ret` follows it where the other one is known too. */
  readonly systemCall: number;
  /** `mov $15,%eax; syscall`: rt_sigreturn, as every C library has it. */
  readonly signalReturn: number | undefined;
}

const CALL_AND_RETURN = Buffer.from([0x0f, 0x05, 0xc3]);
const CALL = CALL_AND_RETURN.subarray(0, 2);
const SIGNAL_RETURNS = [
  Buffer.from([0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05]),
  Buffer.from([0xb8, 15, 0, 0, 0, 0x0f, 0x05]),
];
const MOST_BYTES = 64 << 20;

/** undefined where the process has no system call instruction at all. */
export function findGadgets(mappings: readonly Mapping[], memory: ProcessMemory): Gadgets | undefined {
  let withReturn: number | undefined;
  let plain: number | undefined;
  let signalReturn: number | undefined;
  const executable = mappings.filter((each) => each.executable && each.name !== "[vsyscall]");
  for (const mapping of executable.toSorted((a, b) => likely(b) - likely(a))) {
    const bytes = memory.tryRead(mapping.start, Math.min(mapping.end - mapping.start, MOST_BYTES));
    if (bytes === undefined) continue;
    withReturn ??= find(bytes, CALL_AND_RETURN, mapping.start);
    plain ??= find(bytes, CALL, mapping.start);
    for (const pattern of SIGNAL_RETURNS) signalReturn ??= find(bytes, pattern, mapping.start);
    if (withReturn !== undefined && signalReturn !== undefined) return { systemCall: withReturn, signalReturn };
  }
  const systemCall = withReturn ?? plain;
  return systemCall === undefined ? undefined : { systemCall, signalReturn: undefined };
}

function likely({ name }: Mapping): number {
  return /\/(?:libc|ld-musl)[.-]/.test(name) ? 1 : 0;
}

function find(bytes: Buffer, pattern: Buffer, start: number): number | undefined {
  const at = bytes.indexOf(pattern);
  return at < 0 ? undefined : start + at;
}
