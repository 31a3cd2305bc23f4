/** Who may bring a livepatch into a kernel: what the administrator has decided, its version, and the kernel's own checks. */
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Json } from "../../src/cli/documents.ts";
import type { ModuleKey } from "../../src/host/trust/sign-module.ts";
import { readGivenFile } from "../../src/lib/read-file.ts";
import { run } from "../../src/lib/run.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import { Vm } from "../../src/rehearse/vm.ts";
import { builtInCertificates } from "../../src/targets/kernel/signing/built-in-certificates.ts";
import { wouldShow } from "../fixtures/shown.ts";
import { makeLivepatches } from "./livepatch-fixtures.ts";
import { foreignKey, guestProgram, moduleSignedBy, signedGuestFiles, signFile } from "./signed-guest.ts";
import { type StockKernel, stockKernel } from "./stock-kernel.ts";

const STEPS = `
said.unsigned = await verb("load", "unsigned");
said.unsignedPreflight = await verb("preflight", "unsigned");
said.nothing = await loaded();
said.second = await verb("load", "second");
said.loaded = await loaded();
said.whileEnabled = await verb("load", "first");
await patch("disable", "fix");
said.whileDisabled = await verb("load", "first");
said.stillDisabled = await loaded();
said.older = await verb("load", "first", true);
said.olderLoaded = readFileSync("/sys/module/fix/version", "utf8").trim();
said.sameAgain = await patch("unload", "fix");
writeFileSync("/sys/module/module/parameters/sig_enforce", "1");
said.noKernelSignature = await verb("load", "second");
said.foreignPreflight = await verb("preflight", "foreign");
said.foreign = await verb("load", "foreign");
execFileSync("rm", ["-r", "/boot"]);
said.foreignUnsure = await verb("preflight", "foreign");
said.foreignTried = await verb("load", "foreign");
said.nothingAgain = await loaded();
said.keys = await kernelKeys("/");
`;

type Load = Json<"load"> & { readonly error?: string };

let directory: TemporaryDirectory;
let kernel: StockKernel;
let foreign: ModuleKey;
let second: string;
let said: Readonly<Record<string, Load>>;

beforeAll(async () => {
  kernel = await stockKernel("6.1");
  directory = await temporaryDirectory();
  foreign = await foreignKey(directory.path);
  const fix = { name: "cmdline_proc_show", body: "return 0;" };
  const made = async (version: number): Promise<string> =>
    (await makeLivepatches(kernel, join(directory.path, `version-${version}`), { fix: { ...fix, version } })).fix;
  const first = await made(1);
  second = await made(2);
  const livepatches = {
    unsigned: await readGivenFile(first),
    first: await readGivenFile(first),
    second: await readGivenFile(second),
    foreign: await moduleSignedBy(second, foreign),
  };
  const files = await signedGuestFiles(kernel, directory.path, livepatches, ["unsigned"]);
  await using vm = await Vm.start({
    image: kernel.image,
    files: [...files, guestProgram(STEPS)],
    log: join(directory.path, "guest.log"),
  });
  const job = await vm.run("node --no-warnings /app/program.ts", 3600);
  if (job.status !== 0) throw new Error(job.output);
  said = JSON.parse(job.output) as typeof said;
  for (const each of Object.values(said)) if (typeof each === "object" && "results" in each) wouldShow("load", each);
});
afterAll(async () => await directory?.[Symbol.asyncDispose]());

function codesOf(name: string): unknown {
  return said[name]?.results.flatMap(({ outcome, problems }) => [outcome, ...problems.map(({ code }) => code)]);
}

test("what is not signed by a key that is trusted there is refused, and nothing is loaded", () => {
  for (const name of ["unsigned", "unsignedPreflight"])
    expect(codesOf(name)).toEqual(["refused", "UNSIGNED_LIVEPATCH"]);
  expect(said["nothing"]).toEqual([]);
  expect(said["second"]).toMatchObject({ results: [{ outcome: "done" }], signedBy: { name: "release" } });
  expect(said["loaded"]).toEqual(["fix enabled"]);
});

test("a version that is older than the one in the kernel is refused, enabled or not, unless it is asked for", () => {
  expect(codesOf("whileEnabled")).toEqual(["refused", "OLDER_VERSION"]);
  expect(codesOf("whileDisabled")).toEqual(["refused", "OLDER_VERSION"]);
  expect(said["stillDisabled"]).toEqual(["fix disabled"]);
  expect(codesOf("older")).toEqual(["done"]);
  expect(said["olderLoaded"]).toBe("1");
  expect(codesOf("sameAgain")).toEqual(["done"]);
});

test("a kernel that takes in signed modules alone is known before anything is tried, with the key that it lacks", () => {
  expect(codesOf("noKernelSignature")).toEqual(["refused", "UNSIGNED"]);
  for (const name of ["foreignPreflight", "foreign"]) {
    expect(codesOf(name)).toEqual(["refused", "KERNEL_KEY_MISSING"]);
    expect(said[name]?.results[0]?.problems[0]).toMatchObject({
      where: expect.stringMatching(/^module\.sig_enforce; the key is number [0-9a-f]+ of A foreign key$/),
      hint: expect.stringMatching(/mokutil --import/),
    });
  }
});

test("where the kernel's keys cannot be told, the kernel is asked, and its words are told", () => {
  expect(codesOf("foreignUnsure")).toEqual(["done"]);
  expect(said["foreignUnsure"]?.results[0]?.notes.join("\n")).toMatch(/whether the kernel has the key that signed fix/);
  expect(codesOf("foreignTried")).toEqual(["refused", "LOAD_FAILED"]);
  expect(said["foreignTried"]?.results[0]?.problems[0]).toMatchObject({
    what: expect.stringMatching(/does not trust the key/),
    where: expect.stringMatching(/unavailable key is rejected/),
  });
  expect(said["nothingAgain"]).toEqual([]);
});

test("the keys that the kernel shows are those whose certificates are in its image", async () => {
  const root = join(directory.path, "root");
  await run("mkdir", ["-p", join(root, "boot")], { check: true });
  copyFileSync(kernel.image, join(root, "boot", `vmlinuz-${kernel.release}`));
  const certificates = (await builtInCertificates(root, kernel.release)) ?? [];
  const shown = certificates.map(({ subject, keyId, serial }) => ({ subject, id: keyId ?? serial }));
  expect(shown.length).toBeGreaterThan(0);
  expect(said["keys"]).toEqual(expect.arrayContaining(shown));
  expect(said["keys"]).toHaveLength(shown.length);
});

test("a module is signed byte for byte as the kernel's build signs it, and is not signed twice", async () => {
  const module = join(directory.path, "signed.ko");
  copyFileSync(second, module);
  await run(await signFile(kernel), ["sha256", foreign.key, foreign.certificate, module], { check: true });
  expect(readFileSync(module).equals(await moduleSignedBy(second, foreign))).toBe(true);
  await expect(moduleSignedBy(module, foreign)).rejects.toThrow(/has a signature/);
});
