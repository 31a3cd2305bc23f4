import { readFileSync } from "node:fs";

/** Whether a process with that pid is there and runs (proc(5), stat field 3); one that nobody has waited for yet has ended. */
export function isAlive(pid: number): boolean {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return false;
  }
  // The second field is the program's name in parentheses and may hold anything.
  return stat[stat.lastIndexOf(")") + 2] !== "Z";
}
