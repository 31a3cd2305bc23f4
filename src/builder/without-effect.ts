/** Why a diff changes code and comes to no livepatch: it would look like a fix. */
import type { ObjectDiff } from "../diff/object-diff.ts";
import type { Atom } from "../diff/unit.ts";
import type { Findings } from "../patch/findings.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";

/** Undefined where the diff changes no code at all. */
export function whyNothing(
  diffs: readonly { readonly diff: ObjectDiff }[],
  { notes, leftOut }: Findings,
  running: "kernel" | "program",
): Refusal | undefined {
  const pairs = diffs.map(({ diff }) => diff);
  const exported = notes.filter(({ code }) => code === "NEW_EXPORT" || code === "EXPORT_CHANGED");
  const said = exported.map(({ text }) => text);
  const why = withoutEffect(pairs, leftOut, running, said);
  if (why !== undefined || said.length === 0) return why;
  const sources = [...new Set(pairs.map(({ patched }) => patched.name))].join(", ");
  const what = `all that the diff changes is what is exported: ${said.join("; ")}`;
  return refusal("ONLY_EXPORTS", what, sources, "let a module find it by other means, or boot the new kernel");
}

type Pair = Pick<ObjectDiff, "original" | "patched" | "pairing">;

/** Of functions and of what is left out, as many as a sentence can name. */
const NAMED = 4;

/**
 * Undefined where nothing differs at all. Where all that differs has run, or
 * would have, before a livepatch can come, that is the refusal's own code.
 *
 * @param running what runs, as the sentence calls it
 * @param exported sentences about what is newly exported, which is no reason by itself
 */
export function withoutEffect(
  diffs: readonly Pair[],
  leftOut: readonly Refusal[],
  running: "kernel" | "program",
  exported: readonly string[] = [],
): Refusal | undefined {
  const unseen = diffs.flatMap((each) => unseenFunctions(each, diffs));
  if (leftOut.length === 0 && unseen.length === 0) return undefined;
  const sources = [...new Set(diffs.map(({ patched }) => patched.name))].join(", ");
  const all = [...new Set([...leftOut.map((each) => each.what), ...unseen, ...exported])];
  const rest = all.length > NAMED ? [`and ${all.length - NAMED} more`] : [];
  const sentences = [...all.slice(0, NAMED), ...rest].join("; ");
  if (unseen.length === 0 && exported.length === 0 && leftOut.every(({ code }) => code === "INIT_ALREADY_RAN"))
    return refusal("INIT_ALREADY_RAN", sentences, sources, leftOut[0]?.hint ?? "");
  return refusal(
    "NOTHING_TO_PATCH",
    `nothing of what the diff changes would have an effect on a running ${running}: ${sentences}`,
    sources,
    "what has run at the start, or is read then, and a function that nothing calls yet need no livepatch",
  );
}

/** Those that come or go, and are not freed once their object is up. @param all of the diff, among which functions may move */
function unseenFunctions({ original, patched, pairing }: Pair, all: readonly Pair[]): string[] {
  const isLasting = ({ kind, section }: Atom) => kind === "function" && section.role !== "init";
  return [
    ...patched.atoms
      .filter((atom) => isLasting(atom) && !pairing.originalOf.has(atom))
      .map(({ name }) => `${name} is new, and nothing that runs uses it`),
    ...original.atoms
      .filter((atom) => isLasting(atom) && !pairing.patchedOf.has(atom))
      .map((atom) => goneFrom(atom, all)),
  ];
}

function goneFrom(atom: Atom, all: readonly Pair[]): string {
  const to = all.find(({ patched, pairing }) => patched.atoms.some((each) => pairing.originalOf.get(each) === atom));
  return to === undefined
    ? `${atom.name} is gone, and what runs goes on with it`
    : `${atom.name} is moved to ${to.patched.name}, and is the same there`;
}
