/** A machine that was started with Secure Boot: which livepatches its kernel takes in, and what suture says of the others. */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Json } from "../../src/cli/documents.ts";
import { readGivenFile } from "../../src/lib/read-file.ts";
import { run } from "../../src/lib/run.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import { Vm } from "../../src/rehearse/vm.ts";
import { isLong } from "../long.ts";
import { makeLivepatches } from "./livepatch-fixtures.ts";
import { foreignKey, guestProgram, moduleSignedBy, signedGuestFiles } from "./signed-guest.ts";
import { stockKernel } from "./stock-kernel.ts";

/** The key that the package's firmware trusts, for tests; its passphrase is its name. */
const SNAKEOIL = { key: "/usr/share/ovmf/PkKek-1-snakeoil.key", certificate: "/usr/share/ovmf/PkKek-1-snakeoil.pem" };
const PASSPHRASE = "snakeoil";

const STEPS = `
execFileSync("insmod", ["/efivarfs.ko"]);
execFileSync("mount", ["-t", "efivarfs", "efivarfs", "/sys/firmware/efi/efivars"]);
execFileSync("mount", ["-t", "securityfs", "securityfs", "/sys/kernel/security"]);
said.lockdown = readFileSync("/sys/kernel/security/lockdown", "utf8");
said.keys = await kernelKeys("/");
said.unsigned = await verb("load", "bare");
said.foreign = await verb("load", "foreign");
said.nothing = await loaded();
said.preflight = await verb("preflight", "good");
said.good = await verb("load", "good");
said.loaded = await loaded();
said.disabled = await patch("disable", "good");
said.unloaded = await patch("unload", "good");
said.gone = await loaded();
`;

type Said = Readonly<Record<string, Json<"load">>>;

let directory: TemporaryDirectory;
let said: Said;

beforeAll(async () => {
  if (!isLong) return;
  const kernel = await stockKernel("6.1");
  directory = await temporaryDirectory();
  const at = (name: string): string => join(directory.path, name);
  const plainKey = at("snakeoil.key");
  const passphrase = `pass:${PASSPHRASE}`;
  await run("openssl", ["rsa", "-in", SNAKEOIL.key, "-passin", passphrase, "-out", plainKey], { check: true });
  const image = at("vmlinuz");
  const by = ["--key", plainKey, "--cert", SNAKEOIL.certificate];
  await run("sbsign", [...by, "--output", image, kernel.image], { check: true });
  const variables = at("variables.fd");
  copyFileSync("/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd", variables);
  const { good } = await makeLivepatches(kernel, at("livepatches"), {
    good: { name: "cmdline_proc_show", body: "return 0;" },
  });
  process.env["KBUILD_SIGN_PIN"] = PASSPHRASE;
  const livepatches = {
    bare: await readGivenFile(good),
    foreign: await moduleSignedBy(good, await foreignKey(directory.path)),
    good: await moduleSignedBy(good, SNAKEOIL),
  };
  delete process.env["KBUILD_SIGN_PIN"];
  await using vm = await Vm.start({
    image,
    firmware: { code: "/usr/share/OVMF/OVMF_CODE_4M.fd", variables },
    files: [
      ...(await signedGuestFiles(kernel, directory.path, livepatches, [])),
      { kind: "copy", path: "/efivarfs.ko", from: join(kernel.modules, "kernel/fs/efivarfs/efivarfs.ko") },
      guestProgram(STEPS),
    ],
    bootSeconds: 600,
    log: at("guest.log"),
  });
  const job = await vm.run("node --no-warnings /app/program.ts", 3600);
  if (job.status !== 0) throw new Error(job.output);
  said = JSON.parse(job.output) as Said;
});
afterAll(async () => await directory?.[Symbol.asyncDispose]());

function codesOf(name: string): unknown {
  return said[name]?.results.flatMap(({ outcome, problems }) => [outcome, ...problems.map(({ code }) => code)]);
}

test.runIf(isLong)("the kernel is locked down, and has the firmware's key", () => {
  expect(said["lockdown"]).toContain("[integrity]");
  expect(said["keys"]).toContainEqual({ subject: expect.stringMatching(/snakeoil/i), id: expect.any(String) });
});

test.runIf(isLong)(
  "what is not signed, and what another key has signed, is refused with the reason and the way to enrol it",
  () => {
    expect(codesOf("unsigned")).toEqual(["refused", "UNSIGNED"]);
    expect(codesOf("foreign")).toEqual(["refused", "KERNEL_KEY_MISSING"]);
    expect(said["foreign"]?.results[0]?.problems[0]).toMatchObject({
      where: expect.stringMatching(
        /^module\.sig_enforce and lockdown \(integrity\); the key is number [0-9a-f]+ of A foreign key$/,
      ),
      hint: expect.stringMatching(/mokutil --import/),
    });
    expect(said["nothing"]).toEqual([]);
  },
);

test.runIf(isLong)("what the firmware's key has signed is loaded, disabled and unloaded", () => {
  expect(codesOf("preflight")).toEqual(["done"]);
  expect(codesOf("good")).toEqual(["done"]);
  expect(said["loaded"]).toEqual(["good enabled"]);
  for (const name of ["disabled", "unloaded"]) expect(codesOf(name)).toEqual(["done"]);
  expect(said["gone"]).toEqual([]);
});
