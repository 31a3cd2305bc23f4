/** Breakpoints that others have put where a hook would go: the kernel's uprobes (bpftrace, perf), debuggers. */
import type { Site } from "../../core/machine.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import { type ReadMemory, tried } from "./load/mapped-elf.ts";

const INT3 = 0xcc;
const ENDBR64 = Buffer.from([0xf3, 0x0f, 0x1e, 0xfa]);
/** What a hook displaces at most, bytes. */
const MOST_DISPLACED = 16;

/**
 * A breakpoint instruction in the first bytes of a function, where its file has another byte:
 * what is executed there is then what the kernel or a debugger has kept of it.
 *
 * @param fileBytes the bytes that the file has there; undefined where they cannot be read
 */
export function breakpointAt(
  { id, original: { entry, ranges } }: Site,
  read: ReadMemory,
  fileBytes: (address: number, size: number) => Buffer | undefined,
): Refusal | undefined {
  const end = ranges.find(({ start }) => start === entry)?.end ?? entry + 1;
  const size = Math.min(MOST_DISPLACED, end - entry);
  const bytes = tried(() => read(entry, size));
  if (bytes === undefined || !bytes.includes(INT3)) return undefined;
  const inFile = fileBytes(entry, size);
  const first = bytes.subarray(0, ENDBR64.length).equals(ENDBR64) ? ENDBR64.length : 0;
  const isPut = (byte: number, at: number): boolean =>
    byte === INT3 && (inFile === undefined ? at === 0 || at === first : inFile[at] !== INT3);
  const at = bytes.findIndex(isPut);
  if (at < 0) return undefined;
  return refusal(
    "BREAKPOINT_AT_ENTRY",
    `${id} has a breakpoint at its entry, +0x${at.toString(16)}: a uprobe (bpftrace, perf, systemtap) or a debugger's`,
    id,
    "take the probe away, load the livepatch, and probe the new function or an address behind the first 16 bytes",
  );
}
