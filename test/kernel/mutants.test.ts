/**
 * Source diffs made by machine, as bench/mutants.ts makes them by the thousand:
 * SUTURE_MUTANTS says how many, SUTURE_SEED which.
 */
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Mutant, tryMutant } from "../../bench/mutants/mutant.ts";
import { places } from "../../bench/mutants/pick.ts";
import { rehearseMutants } from "../../bench/mutants/rehearse.ts";
import { Cache } from "../../src/lib/cache.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import type { Kernel } from "../../src/provider/kernel/kernel.ts";
import { newestKernel } from "../fixtures/newest-kernel.ts";

const COUNT = Number(process.env["SUTURE_MUTANTS"] ?? 6);
const SEED = Number(process.env["SUTURE_SEED"] ?? 2027);
/** All that is found out, a line of JSON each, is kept in the file that this names. */
const RECORD = process.env["SUTURE_MUTANTS_RECORD"];

describe(`${COUNT} mutants of seed ${SEED}`, () => {
  let directory: TemporaryDirectory;
  let kernel: Kernel;
  const mutants: Mutant[] = [];

  beforeAll(async () => {
    directory = await temporaryDirectory();
    kernel = await newestKernel("6.1");
    const options = { release: kernel.release, tree: kernel.source, directory: directory.path, cache: new Cache() };
    for await (const place of places(kernel, SEED, options.cache)) {
      if (mutants.filter(({ outcome }) => outcome !== "does-not-compile").length >= COUNT) break;
      const mutant = await tryMutant(place, options);
      mutants.push(mutant);
      if (RECORD !== undefined) appendFileSync(RECORD, `${JSON.stringify(mutant)}\n`);
    }
  }, 60 * 60_000);

  afterAll(async () => await directory?.[Symbol.asyncDispose]());

  test("each is built, refused or without a change of code", () => {
    expect(mutants.filter(({ outcome }) => outcome === "crashed")).toEqual([]);
  });

  test("each difference of those that are built is accounted for", () => {
    expect(mutants.filter(({ findings }) => findings.length > 0)).toEqual([]);
  });

  test("those that do what was done before do no harm in a guest, and are in its memory", {
    timeout: 60 * 60_000,
  }, async () => {
    const run = mutants.filter(({ outcome, runs }) => outcome === "built" && runs);
    const wrong: string[] = [];
    await rehearseMutants(kernel, run, directory.path, join(directory.path, "logs"), 1, (id, guest) => {
      if (guest.kind === "unsafe") wrong.push(`${id}: ${guest.wrong.join("; ")}`);
      if (RECORD !== undefined) appendFileSync(RECORD, `${JSON.stringify({ id, guest })}\n`);
    });
    expect(wrong).toEqual([]);
  });
});
