/** Has the program's own unwinder know of a livepatch's code, and forget it again. */
import type { CodeRange } from "../../core/machine.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import type { LoadedObject } from "../maps/loaded-object.ts";
import { nativeWords } from "../os/native.ts";
import type { LoadedPart } from "../store/load-record.ts";
import type { PatchedProcess } from "./patched-process.ts";
import type { PreparedObject } from "./prepare.ts";

/** A thread that is outside of it and of the allocator is waited for so long. */
const PATIENCE_MS = 2000;
const WORD = 4;

/** @returns why that cannot be done now */
export function tellUnwinder(
  process: Pick<PatchedProcess, "callNow">,
  parts: readonly PreparedObject[],
  view: { readonly objects: readonly LoadedObject[] },
): Refusal | undefined {
  for (const { placed, bound, needsUnwinder } of parts) {
    if (placed.unwinding === undefined) continue;
    const patience = needsUnwinder ? PATIENCE_MS : 0;
    if (process.callNow(placed.unwinding.tell, lockHolders(view.objects), patience) || !needsUnwinder) continue;
    return refusal(
      "UNWINDER_BUSY",
      "the program's own unwinder could not be told of the new code: no thread was outside of it and of the allocator",
      bound.loaded.path,
      "try again",
    );
  }
  return undefined;
}

/** @returns false where it still knows: then the code has to stay. */
export function takeBackFromUnwinder(
  process: Pick<PatchedProcess, "callNow" | "read">,
  { takeBack, isTold, executable, writable }: LoadedPart,
  view: { readonly objects: readonly LoadedObject[] },
): boolean {
  // What lies elsewhere is none of ours.
  if (takeBack === undefined || takeBack < executable.start || takeBack >= executable.end) return true;
  const isWord = isTold !== undefined && writable !== undefined && isTold >= writable.start && isTold < writable.end;
  if (isWord && nativeWords().u32(process.read(isTold, WORD), 0) === 0) return true;
  return process.callNow(takeBack, lockHolders(view.objects), PATIENCE_MS);
}

const ALLOCATOR = ["malloc", "calloc", "realloc", "free", "memalign", "posix_memalign", "aligned_alloc"] as const;
/** No function of an allocator that others call is longer. */
const MOST_BYTES = 1 << 16;

/**
 * Code in which a thread may hold a lock that the unwinder's own functions take: all of
 * the unwinder, and the allocator's entries, below which the rest of it runs.
 */
function lockHolders(objects: readonly LoadedObject[]): CodeRange[] {
  return objects.flatMap(({ dynamic, elf }): CodeRange[] => {
    if (dynamic?.find("__register_frame_info") !== undefined) return [{ start: elf.start, end: elf.end }];
    return ALLOCATOR.flatMap((name) => {
      const symbol = dynamic?.find(name);
      const start = elf.bias + (symbol?.value ?? 0);
      return symbol === undefined ? [] : [{ start, end: start + Math.min(symbol.size, MOST_BYTES) }];
    });
  });
}
