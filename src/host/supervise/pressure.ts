/** How much of the time everybody waits: the kernel's Documentation/accounting/psi. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

const RESOURCES = ["memory", "io"] as const;

/** Percent of the last ten seconds in which no task got on for want of a resource. */
export type Pressure = ReadonlyMap<string, number>;

/** Empty where the kernel does not count it. @param root of the file system */
export function pressure(root = "/"): Pressure {
  return new Map(RESOURCES.flatMap((resource) => entryOf(root, resource)));
}

function entryOf(root: string, resource: string): [string, number][] {
  try {
    const text = readFileSync(join(root, "proc/pressure", resource), "latin1");
    const full = /^full avg10=(\d+\.\d+)/m.exec(text)?.[1];
    return full === undefined ? [] : [[resource, Number(full)]];
  } catch {
    return [];
  }
}
