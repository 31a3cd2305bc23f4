/** Ctrl-C in each stage of `suture rehearse`: no machine, no temporary file and no log is left. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newestKernel } from "../fixtures/newest-kernel.ts";
import { Places } from "../fixtures/places.ts";
import { sourceDiff } from "./source-diffs.ts";

const LIVEPATCH = "livepatch-a.ko";
const LOG = "a.log";
const KNOWN = ["a.patch", LIVEPATCH, "during"];
let places: Places;

beforeAll(async () => {
  const kernel = await newestKernel("6.1");
  places = new Places({ kernel });
  const edit = ["drivers/net/dummy.c", "	dev->max_mtu = 0;\n}", "	dev->max_mtu = 0;\n	dev->mtu = 1234;\n}"] as const;
  writeFileSync(join(places.cwd, "a.patch"), sourceDiff(kernel, [edit]), "latin1");
  writeFileSync(join(places.cwd, "during"), "while :; do cat /proc/version > /dev/null; done\n");
  expect(places.run(["build", "--kernel", kernel.release, "a.patch"])).toMatchObject({ status: 0 });
});
afterAll(() => places[Symbol.dispose]());

function logged(): string {
  const log = join(places.cwd, LOG);
  return existsSync(log) ? readFileSync(log, "utf8") : "";
}

const ARGS = ["rehearse", "--log", LOG, "--during", "during", LIVEPATCH];

test.each([
  ["before the machine starts", "rehearsing"],
  ["while it boots", "Linux version"],
  ["while the target is loaded", " begin 2"],
  ["while it is patched", "livepatch: enabling patch"],
  ["when it has been patched", "patching complete"],
  ["while it is unpatched", "starting unpatching transition"],
  ["when it has been unpatched", "unpatching complete"],
])("%s", async (_, words) => {
  const { status, stderr, sent } = await places.interrupt(
    ARGS,
    (said) => said.includes(words) || logged().includes(words),
  );
  expect(stderr).toContain("INTERRUPTED: stopped by SIGINT; nothing was left behind");
  expect([sent, status]).toEqual([true, null]);
  expect(await places.leftBehind(KNOWN)).toEqual([]);
});
