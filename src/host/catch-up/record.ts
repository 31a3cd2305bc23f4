/** What the last run found of each system: which fixes are in its livepatch, and which wait. What is live is looked up anew each time. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { SutureError } from "../../lib/error.ts";
import { withLock } from "../../lib/lock.ts";
import { replaceFile } from "../../lib/replace-file.ts";
import type { HostPaths } from "../paths.ts";

/** To be raised where an older suture would misread it; what has another one is no record. */
const VERSION = 1;

const systemSchema = v.object({
  kind: v.picklist(["program", "kernel"]),
  /** A source package, a file, or `Linux` and a release. */
  name: v.string(),
  from: v.optional(v.string()),
  to: v.optional(v.string()),
  /** Of what it is for; none for a kernel. */
  buildIds: v.array(v.string()),
  /** Name of the livepatch. */
  livepatch: v.optional(v.string()),
  /** All of them are in it. */
  inIt: v.array(v.string()),
  waiting: v.array(v.object({ name: v.string(), code: v.string() })),
  notConcerned: v.pipe(v.number(), v.integer(), v.minValue(0)),
});

const recordSchema = v.object({ version: v.literal(VERSION), systems: v.array(systemSchema) });

/** A kernel, or one version of a program, and its fixes. */
export type FixRecord = v.InferOutput<typeof systemSchema>;

function recordPath({ state }: Pick<HostPaths, "state">): string {
  return join(state, "catch-up.json");
}

/** None where there is no record, none that can be read, or none that this user may read. */
export function readFixRecords(paths: HostPaths): FixRecord[] {
  try {
    const parsed = v.safeParse(recordSchema, JSON.parse(readFileSync(recordPath(paths), "utf8")));
    return parsed.success ? parsed.output.systems : [];
  } catch {
    return [];
  }
}

/**
 * Keeps what was found of some systems in the place of what was known of them. Throws
 * `NOT_PERMITTED` for a user who may not, `OUTPUT_NOT_WRITABLE`, `DISK_FULL`.
 */
export async function keepFixRecords(
  paths: HostPaths,
  found: readonly FixRecord[],
  signal?: AbortSignal,
): Promise<void> {
  const { state } = paths;
  try {
    mkdirSync(state, { recursive: true, mode: 0o700 });
  } catch {
    throw new SutureError("NOT_PERMITTED", "this user may not keep what was found of the fixes", { where: state });
  }
  await withLock(
    join(state, ".catch-up.lock"),
    async () => {
      const isSame = (a: FixRecord, b: FixRecord): boolean =>
        a.kind === b.kind && a.name === b.name && a.from === b.from;
      const others = readFixRecords(paths).filter((each) => !found.some((own) => isSame(each, own)));
      const record: v.InferOutput<typeof recordSchema> = { version: VERSION, systems: [...others, ...found] };
      await replaceFile(recordPath(paths), `${JSON.stringify(record, undefined, 1)}\n`);
    },
    { signal },
  );
}
