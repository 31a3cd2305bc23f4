/** What an administrator has decided of signatures and versions, where a process is to be patched. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import { patchedState } from "../../src/targets/process/look.ts";
import { livepatch, program } from "../fixtures/patched-program.ts";
import { shown } from "../fixtures/shown.ts";
import { SERVER_SOURCE, Server } from "./server.ts";

const SUTURE = resolve(import.meta.dirname, "../../bin/suture");

let directory: TemporaryDirectory;
let served: string;
let fix: string;

beforeAll(async () => {
  directory = await temporaryDirectory();
  const made = program({ directory: directory.path, name: "served", source: SERVER_SOURCE });
  served = made.path;
  fix = livepatch(made, SERVER_SOURCE.replace("return base + scale(n);", "return base + scale(n) + 1000;"));
  mkdirSync(join(directory.path, "etc/suture"), { recursive: true, mode: 0o755 });
  requireSignatures("yes");
  for (const name of ["release", "stranger"]) suture("key", "generate", join(directory.path, name));
  suture("key", "trust", join(directory.path, "release.pub"));
});
afterAll(async () => await directory[Symbol.asyncDispose]());

function requireSignatures(word: "yes" | "no"): void {
  const path = join(directory.path, "etc/suture/suture.conf");
  writeFileSync(path, `require-signatures = ${word}\n`, { mode: 0o644 });
}

function suture(...args: string[]) {
  const env = { ...process.env, SUTURE_ROOT: directory.path };
  const { status, stdout } = spawnSync(SUTURE, [...args, "--json", "-q"], { encoding: "utf8", env });
  return { status, said: shown(stdout) };
}

/** A copy of the livepatch with a signature file, each with one byte changed where `at` says. */
function copied(name: string, key: string, at: { readonly file?: number; readonly signature?: number } = {}): string {
  const path = join(directory.path, name);
  copyFileSync(fix, path);
  suture("sign", path, "--key", join(directory.path, `${key}.key`));
  for (const [each, offset] of [
    [path, at.file],
    [`${path}.sig`, at.signature],
  ] as const) {
    if (offset === undefined) continue;
    const data = readFileSync(each);
    data[offset] = (data[offset] as number) ^ 1;
    writeFileSync(each, data);
  }
  return path;
}

test("what is not signed by a trusted key, or is not as it was signed, is refused with nothing loaded", async () => {
  await using server = await Server.start([served]);
  const pid = ["--pid", String(server.pid)];
  const size = readFileSync(fix).length;
  const files: readonly [string, string][] = [
    [fix, "UNSIGNED_LIVEPATCH"],
    [copied("stranger.o", "stranger"), "UNKNOWN_KEY"],
    [copied("first.o", "release", { file: 0 }), "SIGNATURE_WRONG"],
    [copied("middle.o", "release", { file: size >> 1 }), "SIGNATURE_WRONG"],
    [copied("last.o", "release", { file: size - 1 }), "SIGNATURE_WRONG"],
    [copied("signature.o", "release", { signature: 0 }), "SIGNATURE_MALFORMED"],
  ];
  for (const verb of ["preflight", "load"])
    for (const [file, code] of files)
      expect(suture(verb, file, ...pid)).toMatchObject({
        status: 2,
        said: { results: [{ name: file, outcome: "refused", problems: [{ code }] }] },
      });
  expect(patchedState(server.pid)).toBeUndefined();
  expect(await server.ask("a1")).toMatch(/^110 /);

  const good = copied("good.o", "release");
  expect(suture("preflight", good, ...pid)).toMatchObject({ status: 0, said: { signedBy: { name: "release" } } });
  expect(suture("load", good, ...pid)).toMatchObject({ status: 0, said: { signedBy: { name: "release" } } });
  expect(await server.ask("a1")).toMatch(/^1110 /);
});

test("where signatures are not required, a wrong one is refused all the same", async () => {
  await using server = await Server.start([served]);
  const pid = ["--pid", String(server.pid)];
  requireSignatures("no");
  expect(suture("load", copied("wrong.o", "stranger", { file: 100 }), ...pid)).toMatchObject({
    status: 2,
    said: { results: [{ problems: [{ code: "SIGNATURE_WRONG" }] }] },
  });
  expect(patchedState(server.pid)).toBeUndefined();
  const { status, said } = suture("load", copied("foreign.o", "stranger"), ...pid);
  expect({ status, signedBy: said.signedBy }).toEqual({ status: 0, signedBy: { id: expect.any(String) } });
  requireSignatures("yes");
});
