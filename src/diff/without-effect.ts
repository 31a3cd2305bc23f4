/** Why a piece that differs need not be in a livepatch. */
import type { State } from "./ledger.ts";
import type { DiffOptions } from "./options.ts";
import type { Atom } from "./unit.ts";

/** @returns one sentence part */
export function withoutEffect(atom: Atom, state: State | "gone", options: DiffOptions): string {
  const { section } = atom;
  if (section.role === "init") return "it was used when its object was started, and freed";
  if (section.role === "load-time") return "it is read when its object is loaded";
  if (section.name === ".exit.text" && !options.isModule) return "what is built in never exits";
  if (state === "gone") return "the new code does not use it, and what still runs the old code has it";
  return "nothing that runs refers to it";
}
