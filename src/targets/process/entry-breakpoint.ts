/** What others have put where a hook would go: breakpoints of the kernel's uprobes (bpftrace, perf) and of debuggers, jumps of other tools. */
import { describeSite } from "../../core/holder.ts";
import type { Site } from "../../core/machine.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import { type ReadMemory, tried } from "../../process/maps/mapped-elf.ts";
import { nativeHook, nativeLinux } from "../../process/os/native.ts";

/** @returns the bytes that the file has there; undefined where they cannot be read */
export type ReadFileBytes = (address: number, size: number) => Buffer | undefined;

/** A function whose first bytes are in somebody else's hands. */
export function takenEntry(site: Site, read: ReadMemory, fileBytes: ReadFileBytes): Refusal | undefined {
  const { entry, ranges } = site.original;
  const end = ranges.find(({ start }) => start === entry)?.end ?? entry + 1;
  const size = Math.min(nativeHook().mostDisplaced, end - entry);
  const bytes = tried(() => read(entry, size));
  return bytes && (breakpointAt(site, bytes, fileBytes) ?? changedAt(site, bytes, fileBytes));
}

/**
 * A breakpoint instruction in the first bytes of a function, where its file has another byte:
 * what is executed there is then what the kernel or a debugger has kept of it.
 */
function breakpointAt({ id, original: { entry } }: Site, bytes: Buffer, fileBytes: ReadFileBytes): Refusal | undefined {
  const { trap } = nativeLinux();
  if (!bytes.includes(trap)) return undefined;
  const inFile = fileBytes(entry, bytes.length);
  const first = nativeHook().landingPad(bytes);
  const isTrap = (code: Buffer | undefined, at: number): boolean =>
    code?.subarray(at, at + trap.length).equals(trap) === true;
  const isPut = (_: number, at: number): boolean =>
    isTrap(bytes, at) && (inFile === undefined ? at === 0 || at === first : !isTrap(inFile, at));
  const at = bytes.findIndex(isPut);
  if (at < 0) return undefined;
  return refusal(
    "BREAKPOINT_AT_ENTRY",
    `${describeSite(id)} has a breakpoint at its entry, +0x${at.toString(16)}: a uprobe (bpftrace, perf, systemtap) or a debugger's`,
    describeSite(id),
    "take the probe away, load the livepatch, and probe the new function or an address behind the first 16 bytes",
  );
}

/** Who put other bytes there counts on them, and has kept the old ones to put back. */
function changedAt({ id, original: { entry } }: Site, bytes: Buffer, fileBytes: ReadFileBytes): Refusal | undefined {
  const inFile = fileBytes(entry, bytes.length);
  if (inFile === undefined || inFile.length < bytes.length) return undefined;
  const at = bytes.findIndex((byte, index) => byte !== inFile[index]);
  if (at < 0) return undefined;
  return refusal(
    "ENTRY_CHANGED",
    `${describeSite(id)} does not begin as in its file, +0x${at.toString(16)}: the program, or another tool that redirects functions, has changed it`,
    describeSite(id),
    "take that redirection away first",
  );
}
