/** The file that a process runs, whatever lies at its path by now. */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { fileOf, objectMappings } from "../../process/maps/loaded-objects.ts";
import { readMappings } from "../../process/os/mappings.ts";
import { buildIdsIn, type KnownBuilds } from "./discover.ts";

/** Its name as the process has it, and its bytes; undefined where it cannot be read any more. */
export async function runningFile(
  pid: number,
  buildId: string,
): Promise<{ readonly name: string; readonly data: Buffer } | undefined> {
  const mappings = readMappings(pid);
  const known: KnownBuilds = new Map();
  buildIdsIn(pid, mappings, known);
  const mapping = objectMappings(mappings).find((each) => known.get(fileOf(each)) === buildId);
  if (mapping === undefined) return undefined;
  const range = [mapping.start, mapping.end].map((address) => address.toString(16)).join("-");
  try {
    const data = await readFile(`/proc/${pid}/map_files/${range}`);
    return { name: basename(mapping.name.replace(/ \(deleted\)$/, "")), data };
  } catch {
    return undefined;
  }
}
