/** Which commands the daemon carries out for others. */

import type { Command, ValueKind } from "./command.ts";

/** By name: who may ask for it. */
const CARRIED_OUT: Readonly<Record<string, "everybody" | "root">> = {
  status: "everybody",
  list: "root",
  load: "root",
  unload: "root",
};

/** Options that are about the terminal, or the time, of who asks. */
const OF_TERMINAL = ["watch", "supervise", "health"];

/** Whether the daemon carries it out at all. */
export function isCarriedOut(name: string): boolean {
  return Object.hasOwn(CARRIED_OUT, name);
}

/** Whether a command changes nothing, and tells what everybody may know. */
export function isForEverybody(name: string): boolean {
  return isCarriedOut(name) && CARRIED_OUT[name] === "everybody";
}

/** Whether one of these options is given, so that a command does without the daemon. */
export function isOfTerminal(options: Readonly<Record<string, unknown>>): boolean {
  return OF_TERMINAL.some((option) => options[option] !== undefined && options[option] !== false);
}

/** What the word at an index of a command's arguments is; the last of them may be given more than once. */
export function kindOf({ arguments: rows }: Pick<Command, "arguments">, index: number): ValueKind | undefined {
  return rows[Math.min(index, rows.length - 1)]?.kind;
}
