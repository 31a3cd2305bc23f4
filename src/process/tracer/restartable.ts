/**
 * Restartable sequences (rseq(2)): a thread that is interrupted in one goes on at its abort handler.
 * The kernel sees to that when the thread goes on, unless it has executed something else in between.
 */
import type { ProcessMemory } from "../os/memory.ts";
import { nativeWords } from "../os/native.ts";
import { restartableArea } from "../os/ptrace.ts";

/** Of `struct rseq`: the address of the sequence that the thread is in, or was last. */
const SEQUENCE_AT = 8;
/** `struct rseq_cs`: version and flags, then where it starts, how long it is, and where its abort handler is. */
const SEQUENCE_SIZE = 32;

/**
 * Where a thread that stands still at an instruction is to go on once it has done something else: there, or at the abort
 * handler of the sequence that it is in. Kernels before 5.13 do not tell.
 */
export function whereToGoOn(tid: number, ip: number, memory: ProcessMemory): number {
  const words = nativeWords();
  const area = restartableArea(tid);
  const place = area === undefined ? undefined : memory.tryRead(area + SEQUENCE_AT, 8);
  const at = place === undefined ? 0 : words.size(place, 0);
  const sequence = at === 0 ? undefined : memory.tryRead(at, SEQUENCE_SIZE);
  if (sequence === undefined) return ip;
  const [start, length, abort] = [8, 16, 24].map((offset) => words.size(sequence, offset)) as [number, number, number];
  return ip >= start && ip < start + length ? abort : ip;
}
