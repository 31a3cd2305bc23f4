/**
 * Whether something of the program may unwind through new code, and by what: a
 * C++ exception, a cancelled thread, a backtrace. libgcc's unwinder knows the
 * call-frame information of loaded objects, and what it is told of.
 */

import { readSearchTable } from "../../dwarf/search-table.ts";
import { PT, SHF } from "../../elf/constants.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import type { LoadedObject } from "../maps/loaded-object.ts";
import { type MappedElf, type ReadMemory, tried } from "../maps/mapped-elf.ts";
import { nativeCalls, nativeWords } from "../os/native.ts";
import type { LivepatchObject } from "./livepatch.ts";

/** Addresses of the unwinder's own functions. */
export interface Unwinder {
  readonly register: number;
  readonly deregister: number;
}

/** What has to be done so that exceptions pass through the new code. */
export type Unwinding =
  | { readonly kind: "none" }
  /** `isNeeded`: something of the program unwinds more than backtraces. */
  | { readonly kind: "told"; readonly unwinder: Unwinder; readonly isNeeded: boolean }
  | { readonly kind: "refused"; readonly refusal: Refusal };

const NONE: Unwinding = { kind: "none" };

/** @param objects all that the process has loaded */
export function unwindingOf(part: LivepatchObject, objects: readonly LoadedObject[], read: ReadMemory): Unwinding {
  if (!hasCalls(part) || !part.sections.some(({ name }) => name.startsWith(".eh_frame"))) return NONE;
  const others = objects.filter((object) => !isSystem(object));
  const unwinder = unwinderIn(objects);
  const who = others.find((object) => startsUnwinding(object, read));
  if (who === undefined) return unwinder === undefined ? NONE : { kind: "told", unwinder, isNeeded: false };
  const isAsked = (object: LoadedObject): boolean => unwinder === undefined || hasOwnUnwinder(object);
  const own = others.find((object) => isAsked(object) && hasHandlers(object, read));
  if (own === undefined) return unwinder === undefined ? NONE : { kind: "told", unwinder, isNeeded: true };
  const why =
    unwinder === undefined
      ? "no unwinder is there yet that could be told of the new code"
      : "that has an unwinder of its own, which cannot be told of the new code";
  return {
    kind: "refused",
    refusal: refusal(
      "UNWINDER_UNKNOWN",
      `${who.path} can unwind stacks (exceptions, cancelled threads), ${own.path} has what must run then, and ${why}`,
      part.record.name,
      unwinder === undefined
        ? "load it once the program has its libgcc_s.so.1, or start the program with LD_PRELOAD=libgcc_s.so.1"
        : "change functions that call nothing",
    ),
  };
}

/** What leaves the frame of a function on the stack, as against jumps that replace it. */
function hasCalls({ sections }: LivepatchObject): boolean {
  return sections.some(({ flags, data }) => (flags & SHF.EXECINSTR) !== 0 && nativeCalls().hasCalls(data));
}

function unwinderIn(objects: readonly LoadedObject[]): Unwinder | undefined {
  for (const { dynamic, elf } of objects) {
    const register = dynamic?.find("__register_frame_info");
    const deregister = dynamic?.find("__deregister_frame_info");
    if (register?.type === "plain" && deregister?.type === "plain")
      return { register: elf.bias + register.value, deregister: elf.bias + deregister.value };
  }
  return undefined;
}

/** How an unwinder that is linked in finds the frames of loaded objects (libgcc's unwind-dw2-fde-dip.c, LLVM's libunwind). */
const FINDS_FRAMES = /^(dl_iterate_phdr|_dl_find_object)$/;

/**
 * What has something to do when it is unwound goes on by a call of the unwinder, or, where it catches all, asks for
 * none by name: then it has one of its own only where that could find frames.
 */
function hasOwnUnwinder({ dynamic }: LoadedObject): boolean {
  if (dynamic === undefined || dynamic.needed.length === 0) return true;
  const names = dynamic.slots.map(({ name }) => name);
  return !names.some((name) => name.startsWith("_Unwind_")) && names.some((name) => FINDS_FRAMES.test(name));
}

const STARTS = /^(_Unwind_(RaiseException|ForcedUnwind|Resume)|__cxa_throw|pthread_(cancel|exit)|thrd_exit)$/;
/** An object of the C library asks for its own needs, and its frames are below no new code. */
const SYSTEM = /^(libc\.so\.6|libpthread\.so\.0|ld-linux[\w-]*\.so\.\d|libgcc_s\.so\.1)$/;

function isSystem({ dynamic }: LoadedObject): boolean {
  return SYSTEM.test(dynamic?.soname ?? "");
}

function startsUnwinding(object: LoadedObject, read: ReadMemory): boolean {
  if (object.dynamic !== undefined && object.dynamic.needed.length > 0)
    return object.dynamic.slots.some(({ name }) => STARTS.test(name));
  return object.isExecutable && hasOwnRuntime(object, read);
}

/** The class that C++ gives its exceptions, "GNUCC++\0": what throws in a statically linked program holds it as a constant. */
const EXCEPTION_CLASS = Buffer.from("\0++CCUNG", "latin1");
const MOST_BYTES = 256 << 20;
const EXECUTE = 1;

function hasOwnRuntime({ elf }: LoadedObject, read: ReadMemory): boolean {
  return elf.segments.some(({ type, flags, address, memorySize }) => {
    if (type !== PT.LOAD || (flags & EXECUTE) === 0) return false;
    const code = memorySize > MOST_BYTES ? undefined : tried(() => read(elf.bias + address, memorySize));
    return code === undefined || code.includes(EXCEPTION_CLASS);
  });
}

/** By device, inode and build-id: the same in every process. */
const known = new Map<string, boolean>();

/** Whether some of its frames have something to do when they are unwound: a CIE with a personality. True where that cannot be told. */
function hasHandlers({ elf, file }: LoadedObject, read: ReadMemory): boolean {
  const key = `${file} ${elf.buildId ?? ""}`;
  const answer = known.get(key) ?? tried(() => findHandlers(elf, read)) ?? true;
  known.set(key, answer);
  return answer;
}

function findHandlers({ segments, bias }: MappedElf, read: ReadMemory): boolean {
  const header = segments.find(({ type }) => type === PT.GNU_EH_FRAME);
  // A program that is linked statically tells its own unwinder of its frames by itself.
  if (header === undefined) return !segments.some(({ type }) => type === PT.DYNAMIC);
  const address = bias + header.address;
  const data = read(address, header.memorySize);
  const { ehFrame } = readSearchTable({ name: ".eh_frame_hdr", data, words: nativeWords(), address });
  const at = ehFrame - bias;
  const found = segments.find((each) => each.type === PT.LOAD && contains(each, at));
  if (found === undefined) return true;
  const size = found.address + found.memorySize - at;
  return size > MOST_BYTES || hasPersonality(read(ehFrame, size));
}

function contains({ address, memorySize }: { address: number; memorySize: number }, at: number): boolean {
  return at >= address && at < address + memorySize;
}

function hasPersonality(frames: Buffer): boolean {
  const words = nativeWords();
  for (let at = 0; at + 9 <= frames.length; ) {
    const length = words.u32(frames, at);
    if (length === 0 || length === 0xffffffff) return false;
    if (words.u32(frames, at + 4) === 0) {
      const end = frames.indexOf(0, at + 9);
      if (frames.toString("latin1", at + 9, end).includes("P")) return true;
    }
    at += 4 + length;
  }
  return false;
}
