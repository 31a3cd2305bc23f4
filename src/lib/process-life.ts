import { readFileSync } from "node:fs";

/** When a process began, clock ticks since boot (proc(5), stat field 22); undefined if it is no more. */
export function startOf(pid: number): number | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  // The second field is the program's name in parentheses and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" ? undefined : Number(fields[19]);
}

/** Whether the process with that pid is there and, if `start` is given, is the one that began then. */
export function isAlive(pid: number, start?: number): boolean {
  const began = startOf(pid);
  return began !== undefined && (start === undefined || began === start);
}
