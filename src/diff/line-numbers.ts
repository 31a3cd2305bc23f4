/**
 * Whether two versions of a function differ in nothing but the line numbers that
 * they hand to the kernel's checks and warnings. The idea is kpatch's.
 */
import type { Instruction } from "../arch/code.ts";
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
  const { code } = a.section.arch;
  let pending: number | undefined;
  for (let at = 0; at < a.data.length; ) {
    const instruction = code.decode(a.data, at);
    if (instruction === undefined || code.decode(b.data, at)?.length !== instruction.length) return false;
    const { length } = instruction;
    const end = at + length;
    if (pending !== undefined && instruction.branch !== 0) {
      if (lineArgument(a, instruction, at) !== pending) return false;
      pending = undefined;
    }
    if (a.data.compare(b.data, at, end, at, end) !== 0) {
      const loaded = code.loadedArgument(a.data, at, length);
      if (pending !== undefined || loaded === undefined) return false;
      if (a.data.compare(b.data, at, loaded.field, at, loaded.field) !== 0) return false;
      pending = loaded.argument;
    }
    at = end;
  }
  return pending === undefined;
}

/** Of a call. */
function lineArgument({ references }: Atom, { field }: Instruction, at: number): number | undefined {
  const target = references.find(({ offset }) => field !== undefined && offset === at + field)?.target;
  return target?.kind === "external" ? LINE_ARGUMENT[target.name] : undefined;
}
