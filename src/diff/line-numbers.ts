/**
 * Whether two versions of a function differ in nothing but the line numbers that
 * they hand to the kernel's checks and warnings. The idea is kpatch's.
 */
import { decodeInstruction } from "../arch/x86_64/instruction.ts";
import { loadedRegister } from "../arch/x86_64/operands.ts";
import type { Atom } from "./unit.ts";

/** In which argument, from 0, functions take the line that they are called from. Source: the kernel's kernel.h, asm-generic/bug.h, lockdep.h. */
const LINE_ARGUMENT: Readonly<Record<string, number>> = {
  __might_sleep: 1,
  ___might_sleep: 1,
  __might_resched: 1,
  __might_fault: 1,
  __cant_sleep: 1,
  __cant_migrate: 1,
  warn_slowpath_fmt: 1,
  warn_slowpath_fmt_taint: 1,
  warn_slowpath_null: 1,
  lockdep_rcu_suspicious: 1,
  __btrfs_panic: 2,
};

/** @param a of the same size as `b`, and with references that mean the same */
export function differsInLines(a: Atom, b: Atom): boolean {
  if (a.kind !== "function" || a.data.length !== b.data.length) return false;
  let pending: number | undefined;
  for (let at = 0; at < a.data.length; ) {
    const instruction = decodeInstruction(a.data, at);
    const length = instruction?.length;
    if (length === undefined || decodeInstruction(b.data, at)?.length !== length) return false;
    const end = at + length;
    if (pending !== undefined && instruction?.branch !== 0) {
      if (lineArgument(a, end) !== pending) return false;
      pending = undefined;
    }
    if (a.data.compare(b.data, at, end, at, end) !== 0) {
      const argument = loadedRegister(a.data, at, length);
      if (pending !== undefined || argument === undefined) return false;
      if (a.data.compare(b.data, at, end - 4, at, end - 4) !== 0) return false;
      pending = argument;
    }
    at = end;
  }
  return pending === undefined;
}

/** Of the call that ends there. */
function lineArgument({ references }: Atom, end: number): number | undefined {
  const target = references.find(({ offset }) => offset === end - 4)?.target;
  return target?.kind === "external" ? LINE_ARGUMENT[target.name] : undefined;
}
