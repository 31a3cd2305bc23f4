import type { Mapping } from "../os/mappings.ts";
import type { ProcessMemory } from "../os/memory.ts";
import { nativeLinux } from "../os/native.ts";

/** Places in the process's own code at which a borrowed thread can be put. */
export interface Gadgets {
  /** An instruction that makes a system call; a return follows it where the other one is known too. */
  readonly systemCall: number;
  /** What returns from a signal: rt_sigreturn, as every C library has it. */
  readonly signalReturn: number | undefined;
}

/** At least as long as each of them. */
const LONGEST = 16;
const PIECE = 1 << 17;
const MOST_BYTES = 64 << 20;

/** Where other processes have them in the same file, from the start of its code: a place to look at first. */
const known = new Map<string, { readonly systemCall: number; readonly signalReturn: number }>();

/** undefined where the process has no system call instruction at all. */
export function findGadgets(mappings: readonly Mapping[], memory: ProcessMemory): Gadgets | undefined {
  let withReturn: number | undefined;
  let plain: number | undefined;
  let signalReturn: number | undefined;
  const patterns = nativeLinux().gadgets;
  const executable = mappings.filter((each) => each.executable && each.name !== "[vsyscall]");
  for (const mapping of executable.toSorted((a, b) => likely(b) - likely(a))) {
    const expected = whereKnown(mapping, memory);
    if (expected !== undefined) return expected;
    for (const { start, bytes } of pieces(mapping, memory)) {
      withReturn ??= find(bytes, patterns.systemCallAndReturn, start);
      plain ??= find(bytes, patterns.systemCall, start);
      for (const pattern of patterns.signalReturns) signalReturn ??= find(bytes, pattern, start);
      if (withReturn === undefined || signalReturn === undefined) continue;
      const { start: base, end } = mapping;
      if (withReturn >= base && withReturn < end && signalReturn >= base && signalReturn < end)
        known.set(codeOf(mapping), { systemCall: withReturn - base, signalReturn: signalReturn - base });
      return { systemCall: withReturn, signalReturn };
    }
  }
  const systemCall = withReturn ?? plain;
  return systemCall === undefined ? undefined : { systemCall, signalReturn: undefined };
}

function codeOf({ device, inode, offset }: Mapping): string {
  return `${device} ${inode} ${offset}`;
}

function whereKnown(mapping: Mapping, memory: ProcessMemory): Gadgets | undefined {
  const { systemCallAndReturn, signalReturns } = nativeLinux().gadgets;
  const places = known.get(codeOf(mapping));
  if (places === undefined) return undefined;
  const [systemCall, signalReturn] = [mapping.start + places.systemCall, mapping.start + places.signalReturn];
  const isThere = (at: number, pattern: Buffer): boolean =>
    memory.tryRead(at, pattern.length)?.equals(pattern) === true;
  if (!isThere(systemCall, systemCallAndReturn)) return undefined;
  return signalReturns.some((pattern) => isThere(signalReturn, pattern)) ? { systemCall, signalReturn } : undefined;
}

/** What is mapped, piece by piece: C libraries have both near the start. A pattern that lies across two is in the first. */
function* pieces(mapping: Mapping, memory: ProcessMemory): Generator<{ start: number; bytes: Buffer }> {
  const end = Math.min(mapping.end, mapping.start + MOST_BYTES);
  for (let start = mapping.start; start < end; start += PIECE) {
    const bytes = memory.tryRead(start, Math.min(PIECE + LONGEST, end - start));
    if (bytes !== undefined) yield { start, bytes };
  }
}

function likely({ name }: Mapping): number {
  return /\/(?:libc|ld-musl)[.-]/.test(name) ? 1 : 0;
}

function find(bytes: Buffer, pattern: Buffer, start: number): number | undefined {
  const at = bytes.indexOf(pattern);
  return at < 0 ? undefined : start + at;
}
