/** Which commands the daemon carries out for others. */

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
