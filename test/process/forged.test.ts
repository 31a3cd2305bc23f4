import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../src/lib/temp.ts";
import { readProgramLivepatch } from "../../src/process/loader/livepatch.ts";
import { livepatch, program } from "../fixtures/patched-program.ts";
import { ForgedTarget, randomOf, VERBS } from "./forged.ts";
import { SERVER_SOURCE } from "./server.ts";

/** Verbs that may change the program start it anew each time. */
const RUNS = { list: 3000, disable: 60, unload: 60 } as const;

test.each(VERBS)("%s of a process whose record is forged ends with a result or a named error", async (verb) => {
  await using directory = await temporaryDirectory();
  const served = program({ directory: directory.path, name: "served", source: SERVER_SOURCE });
  const path = livepatch(served, SERVER_SOURCE.replace("base + scale(n);", "base + scale(n) + 1000;"));
  await using target = new ForgedTarget(served.path, readProgramLivepatch(readFileSync(path), path));
  const random = randomOf(Number(process.env["SUTURE_SEED"] ?? 7));
  const codes = new Map<string, number>();
  for (let run = 0; run < RUNS[verb]; run++) {
    const { code } = await target.run(verb, random);
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  expect(codes.size).toBeGreaterThan(1);
});
