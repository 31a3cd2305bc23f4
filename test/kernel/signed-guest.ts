/** A guest with suture, livepatches that are signed in several ways, and the keys that count there. */
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { generatedKeys, readSecretKey } from "../../src/host/trust/key.ts";
import { signLivepatch } from "../../src/host/trust/sign.ts";
import { type ModuleKey, signModule } from "../../src/host/trust/sign-module.ts";
import { readGivenFile } from "../../src/lib/read-file.ts";
import { run } from "../../src/lib/run.ts";
import type { GuestFile } from "../../src/rehearse/initramfs.ts";
import { programFiles, sutureFiles } from "../guest-programs.ts";
import type { StockKernel } from "./stock-kernel.ts";

/** What the guest's steps are written with: `load` and `preflight` as the commands run them, giving their documents. */
const VERBS = `
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { runFileVerb, runPatchVerb } from "/app/src/cli/run-verb.ts";
import { kernelState } from "/app/src/targets/kernel/look.ts";
import { kernelKeys } from "/app/src/targets/kernel/signing/kernel-keys.ts";
const context = { commands: [], json: true, taker: "command", signal: new AbortController().signal, progress: { step() {}, tick() {}, done() {} } };
const how = { context, transition: { consistency: "hybrid", timeoutSeconds: undefined, keep: false } };
const document = async (run) => { try { return (await run()).json; } catch (error) { return { error: error.code }; } };
const verb = (name, file, allowOlder = false) =>
  document(() => runFileVerb(name, "/livepatches/" + file + ".ko", undefined, { ...how, allowOlder }));
const patch = (name, of) => document(() => runPatchVerb(name, of, { kind: "kernel" }, how));
const loaded = async () => (await kernelState()).patches.map(({ name, state }) => name + " " + state);
const said = {};
`;

/** A program for the guest: the steps, which fill \`said\`, and then it is printed as JSON. */
export function guestProgram(steps: string): GuestFile {
  const text = `${VERBS}${steps}\nconsole.log(JSON.stringify(said));\nprocess.exit(0);\n`;
  return { kind: "data", path: "/app/program.ts", data: text };
}

/** A secret key that is no kernel's, and its certificate. */
export async function foreignKey(directory: string): Promise<ModuleKey> {
  const key = join(directory, "foreign.key");
  const certificate = join(directory, "foreign.pem");
  const made = ["-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2"];
  await run("openssl", ["req", "-x509", ...made, "-subj", "/CN=A foreign key"], { check: true });
  return { key, certificate };
}

/** What the kernel's own build signs modules with. */
export async function signFile(kernel: StockKernel): Promise<string> {
  const libraries = join(dirname(dirname(kernel.headers)), "lib");
  const kbuild = (await readdir(libraries)).find((name) => name.startsWith("linux-kbuild-"));
  return join(libraries, kbuild ?? "", "scripts/sign-file");
}

/** A module signed by that key. */
export async function moduleSignedBy(path: string, key: ModuleKey): Promise<Buffer> {
  const signed = await signModule({ path, data: await readGivenFile(path) }, key);
  if (!Buffer.isBuffer(signed)) throw new Error(signed.what);
  return signed;
}

/**
 * suture, the kernel's image, what unpacks it, and livepatches by their name in /livepatches, each with its signature by
 * the one key that is trusted there, unless its name is in `unsigned`.
 */
export async function signedGuestFiles(
  kernel: StockKernel,
  directory: string,
  livepatches: Readonly<Record<string, Buffer>>,
  unsigned: readonly string[],
): Promise<GuestFile[]> {
  const keys = generatedKeys();
  const secret = join(directory, "release.key");
  await mkdir(directory, { recursive: true });
  await writeFile(secret, keys.secret, { mode: 0o600 });
  const signer = await readSecretKey(secret);
  const files = Object.entries(livepatches).flatMap(([name, data]): GuestFile[] => {
    const path = `/livepatches/${name}.ko`;
    const signature = {
      kind: "data",
      path: `${path}.sig`,
      data: signLivepatch({ path, data }, signer, undefined),
    } as const;
    return [{ kind: "data", path, data }, ...(unsigned.includes(name) ? [] : [signature])];
  });
  const { stdout: lz4 } = await run("sh", ["-c", "command -v lz4"], { check: true });
  return [
    ...(await sutureFiles()),
    ...(await programFiles(lz4.trim(), "lz4")),
    { kind: "copy", path: `/boot/vmlinuz-${kernel.release}`, from: kernel.image },
    { kind: "data", path: "/etc/suture/suture.conf", data: "require-signatures = yes\n" },
    { kind: "data", path: "/etc/suture/keys/release.pub", data: keys.public },
    ...files,
  ];
}
