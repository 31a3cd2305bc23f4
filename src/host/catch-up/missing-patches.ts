/**
 * How many of the last patches of a series a build does not have, by what its code is when they are taken off one
 * after the other. A function that several of them change is as the build has it when all of these are off: until
 * then it says nothing. One that is as a patch makes it shows that the build has that patch.
 */
import type { ShippedForm } from "../../subject/program/changed-code.ts";

/** What taking off one more patch shows. */
export interface TakenOff {
  /** Of the functions that the patch changes, what the build has. */
  readonly forms: ReadonlyMap<string, ShippedForm>;
  /** It may matter to code all the same: by a type, or by data. */
  readonly isMore: boolean;
}

/** `unclear`: of the patch that is so many from the end it cannot be told whether the build has it. */
export type Missing =
  | { readonly kind: "told"; readonly missing: number }
  | { readonly kind: "unclear"; readonly at: number };

/** A build that is of no version at all is not looked through for ever. */
const MOST_UNDECIDED = 24;

/** @param look takes off the patch that is so many from the end, 1 for the last, with all behind it */
export async function missingPatches(patches: number, look: (fromEnd: number) => Promise<TakenOff>): Promise<Missing> {
  const forms = new Map<string, ShippedForm>();
  /** Of those that are off, such as say nothing of themselves. */
  const silent: number[] = [];
  let missing = 0;
  let undecided: number | undefined;
  for (let at = 1; at <= patches; at++) {
    const found = await look(at);
    const told = [...found.forms.values()];
    if (told.includes("with")) break;
    for (const [name, form] of found.forms) forms.set(name, form);
    const isSilent = told.every((form) => form === "absent");
    if (isSilent && (found.isMore || told.length > 0)) silent.push(at);
    const isAsBuilt = [...forms.values()].every((form) => form !== "neither");
    if (isAsBuilt && !isSilent) [missing, undecided] = [at, undefined];
    else if (!isSilent) undecided ??= at;
    if (at - (undecided ?? at) >= MOST_UNDECIDED) break;
  }
  const at = undecided ?? (missing === 0 ? undefined : silent[0]);
  return at === undefined ? { kind: "told", missing } : { kind: "unclear", at };
}
