import type { ObjectDiff } from "../diff/object-diff.ts";
import { EXIT, type ExitCode } from "../lib/error.ts";
import type { Note } from "../patch/metadata.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import type { Symvers } from "../subject/kernel/symvers.ts";
import type { LinkedObject } from "./linked-object.ts";

/** The object diff, as `suture object-diff --json` prints it. */
export interface ObjectDiffReport {
  /** Functions of the running object that get a new version. */
  readonly changed: readonly { readonly name: string; readonly why: string }[];
  /** Functions that only the patched object has. */
  readonly new: readonly string[];
  readonly refusals: readonly Omit<Refusal, "kind">[];
  /** Done beyond replacing functions. */
  readonly notes: readonly Note[];
  /** Differences that no running code is touched by. */
  readonly leftOut: readonly Omit<Refusal, "kind">[];
}

/** `linked` and `exported`, where they are given, tell what the new code can refer to. */
export function objectDiffReport(diff: ObjectDiff, linked?: LinkedObject, exported?: Symvers): ObjectDiffReport {
  const { selection, pairing, patched } = diff;
  const funcs = selection.moduleExit === undefined ? selection.funcs : [...selection.funcs, selection.moduleExit];
  const absent = linked === undefined ? [] : funcs.filter(({ name }) => !linked.functions.has(name));
  const onlyPatched = patched.atoms.filter((atom) => atom.kind === "function" && !pairing.originalOf.has(atom));
  const refusals = [
    ...diff.refusals,
    ...absent.map(({ name }) => notLinked(name, diff.original.name)),
    ...unresolved(diff, linked, exported).map((name) => notFound(name, patched.name)),
  ];
  return {
    changed: funcs.map(({ name, why }) => ({ name, why })),
    new: onlyPatched.map(({ name }) => name),
    refusals: refusals.map(withoutKind),
    notes: diff.notes,
    leftOut: diff.leftOut.map(withoutKind),
  };
}

/** `refused` before `noChange`: a diff that changes nothing but what cannot be patched is refused. */
export function exitCodeOf(report: ObjectDiffReport): ExitCode {
  if (report.refusals.length > 0) return EXIT.refused;
  return report.changed.length === 0 ? EXIT.noChange : EXIT.done;
}

/** The report as text, without its refusals: these are printed as problems. */
export function objectDiffLines(report: ObjectDiffReport): string[] {
  const nothing = report.changed.length === 0 && report.refusals.length === 0;
  return [
    ...report.changed.map(({ name, why }) => `changed ${name}: ${why}`),
    ...report.new.map((name) => `new     ${name}`),
    ...report.notes.map(({ code, text }) => `note    ${code}: ${text}`),
    ...report.leftOut.map(({ code, what, where }) => `left out ${code}: ${what} (${where})`),
    ...(nothing ? ["no function of the running object changes"] : []),
  ];
}

/** An overridden weak function, or one that the linker dropped: patching it would patch nothing, or another one. */
function notLinked(name: string, unit: string): Refusal {
  return refusal(
    "NOT_IN_OBJECT",
    `${name} changes, and the linked object has no function of that name`,
    `${unit}: ${name}`,
    "patch the function that is linked in its place",
  );
}

/** Symbols that the new code needs and that neither its object nor an export has. */
function unresolved(diff: ObjectDiff, linked?: LinkedObject, exported?: Symvers): string[] {
  if (linked === undefined || exported === undefined) return [];
  const needed = diff.selection.pieces.flatMap(({ references, entries }) =>
    [...references, ...entries.flatMap((entry) => entry.references)].flatMap(({ destination }) =>
      destination.kind === "external" && !destination.weak ? [destination.name] : [],
    ),
  );
  return [...new Set(needed)].filter((name) => !linked.defined.has(name) && exported.find(name) === undefined);
}

function notFound(name: string, unit: string): Refusal {
  return refusal(
    "SYMBOL_NOT_FOUND",
    `the new code refers to ${name}, which is neither in the linked object nor exported`,
    `${unit}: ${name}`,
    "add what defines it to the change, or give the symbols of the object that it belongs to",
  );
}

function withoutKind({ code, what, where, hint }: Refusal): Omit<Refusal, "kind"> {
  return { code, what, where, hint };
}
