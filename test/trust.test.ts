/** Keys and signatures by the command line, and by openssl. */
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../src/lib/temp.ts";
import { livepatch, type Program, program } from "./fixtures/patched-program.ts";
import { shown } from "./fixtures/shown.ts";

const SUTURE = resolve(import.meta.dirname, "../bin/suture");
const SOURCE =
  "static int n = 5;\nint work(int x) { n += x; return n; }\nint main(int c, char **v) { (void)v; return work(c); }\n";

let directory: TemporaryDirectory;
let original: Program;
let fix: string;
let root: string;
let made = 0;

beforeAll(async () => {
  directory = await temporaryDirectory();
  original = program({ directory: directory.path, name: "serve", source: SOURCE });
  fix = numbered(3);
});
afterAll(async () => await directory[Symbol.asyncDispose]());
beforeEach(() => {
  root = join(directory.path, `root-${made++}`);
  mkdirSync(root, { mode: 0o755 });
});

/** The livepatch with that number. */
function numbered(patchVersion: number): string {
  const edit = (metadata: object) => ({ ...metadata, patchVersion }) as never;
  const path = join(directory.path, `fix-${patchVersion}.o`);
  execFileSync("mv", [livepatch(original, SOURCE.replace("n += x", "n -= x"), { edit }), path]);
  return path;
}

function suture(...args: string[]) {
  const env = { ...process.env, SUTURE_ROOT: root, SUTURE_CACHE: join(directory.path, "cache") };
  return spawnSync(SUTURE, args, { encoding: "utf8", cwd: directory.path, env });
}

function json(...args: string[]) {
  const { status, stdout } = suture(...args, "--json");
  return { status, said: shown(stdout) };
}

function generated(name: string): { readonly id: string; readonly secret: string; readonly public: string } {
  const { said } = json("key", "generate", join(root, name));
  return said.key;
}

test("a key is made, signs, is trusted, verifies, and is trusted no more", () => {
  const key = generated("release");
  expect(statSync(key.secret).mode & 0o777).toBe(0o600);
  expect(json("sign", fix, "--key", key.secret, "--comment", "a fix")).toMatchObject({
    status: 0,
    said: { signed: [{ file: fix, livepatch: { kind: "program", name: "fix", version: 3 } }], problems: [] },
  });
  expect(json("verify", fix)).toMatchObject({ status: 2, said: { files: [{ problem: { code: "UNKNOWN_KEY" } }] } });
  expect(json("key", "trust", key.public)).toMatchObject({
    status: 0,
    said: { outcome: "trusted", key: { name: "release" } },
  });
  expect(json("key", "trust", key.public, "--name", "again").said).toMatchObject({ outcome: "unchanged" });
  expect(json("key", "list").said.keys).toMatchObject([{ name: "release", id: key.id }]);
  expect(suture("verify", fix)).toMatchObject({
    status: 0,
    stdout: `${fix}: fix, version 3, for serve\n  signed by release, key ${key.id}\n  a fix\n`,
    stderr: "",
  });
  expect(json("verify", fix).said.files).toMatchObject([
    { kind: "trusted", key: { name: "release" }, comment: "a fix" },
  ]);
  expect(json("key", "remove", key.id.slice(0, 16)).said).toMatchObject({ removed: { name: "release" } });
  expect(suture("verify", fix)).toMatchObject({ status: 2, stderr: expect.stringMatching(/^UNKNOWN_KEY: /) });
  expect(suture("verify", fix, "--key", key.public).status).toBe(0);
});

test("no key is written over, nor half made", () => {
  const key = generated("release");
  const before = readFileSync(key.secret);
  expect(suture("key", "generate", join(root, "release"))).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^KEY_NAME_TAKEN: /),
  });
  expect(readFileSync(key.secret)).toEqual(before);
  writeFileSync(join(root, "half.pub"), "");
  expect(suture("key", "generate", join(root, "half")).status).toBe(1);
  expect(readdirSync(root).sort()).toEqual(["half.pub", "release.key", "release.pub"]);
});

test("of several files nothing is signed where one is no livepatch", () => {
  const key = generated("release");
  const text = join(root, "text.o");
  const copy = join(root, "fix.o");
  writeFileSync(text, "text");
  execFileSync("cp", [fix, copy]);
  expect(suture("sign", copy, text, "--key", key.secret)).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^NOT_A_LIVEPATCH: /),
  });
  expect(readdirSync(root).filter((name) => name.endsWith(".sig"))).toEqual([]);
});

test("openssl verifies what suture signs, and suture what openssl signs, as the documentation says", () => {
  const page = readFileSync(resolve(import.meta.dirname, "../docs/signatures.md"), "utf8");
  const example = page.match(/Without suture:\n\n```\n([^`]*)```/)?.[1] ?? "";
  const idExample = page.match(/in hexadecimal\.\n\n```\n([^`]*)```/)?.[1] ?? "";
  const shell = (script: string): string => execFileSync("sh", ["-ec", script], { cwd: root, encoding: "utf8" });
  shell("openssl genpkey -algorithm ed25519 -out other.key && chmod 600 other.key");
  shell("openssl pkey -in other.key -pubout -out release.pub");
  shell(`cp ${fix} FILE`);
  expect(suture("sign", join(root, "FILE"), "--key", join(root, "other.key")).status).toBe(0);
  expect(shell(example)).toContain("Signature Verified Successfully");
  const { said } = json("key", "trust", join(root, "release.pub"));
  expect(shell(idExample)).toContain(said.key.id);
  expect(suture("verify", join(root, "FILE")).status).toBe(0);
  shell("sed -i 's/^version 3/version 3\\ncomment by hand/; /^size/d; /^sha256/d; /^signature/d' FILE.sig");
  shell("sed -i '/^comment/d' FILE.sig");
  shell(
    'printf "size %s\\nsha256 %s\\ncomment by hand\\n" $(stat -c %s FILE) $(sha256sum FILE | cut -d" " -f1) >> FILE.sig',
  );
  shell("cat FILE.sig FILE > signed && openssl pkeyutl -sign -inkey other.key -rawin -in signed -out signature");
  shell('printf "signature %s\\n" "$(base64 -w0 signature)" >> FILE.sig');
  expect(json("verify", join(root, "FILE")).said.files).toMatchObject([{ kind: "trusted", comment: "by hand" }]);
});

test("an older version than the one that is installed is refused by load, unless it is asked for", () => {
  const older = numbered(2);
  const pid = ["--pid", String(process.pid)];
  expect(suture("install", fix).status).toBe(0);
  expect(json("load", older, ...pid)).toMatchObject({
    status: 2,
    said: { results: [{ name: older, outcome: "refused", problems: [{ code: "OLDER_VERSION" }] }] },
  });
  // What is said then is about the process, which does not run the program.
  for (const args of [
    ["load", older, "--older", ...pid],
    ["load", fix, ...pid],
  ])
    expect(json(...args).said.results).toMatchObject([{ pid: process.pid, problems: [{ code: "OBJECT_NOT_LOADED" }] }]);
});

test("a shell is told which keys are trusted", () => {
  expect(suture("completion", "keys").stdout).toBe("");
  const key = generated("release");
  suture("key", "trust", key.public);
  expect(suture("completion", "keys").stdout).toBe(`release\t${key.id}\n`);
});

test("what comes from standard input is not signed", () => {
  expect(suture("sign", "-", "--key", generated("release").secret)).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^USAGE: /),
  });
});

test("what others can write to is trusted in nothing", () => {
  const key = generated("release");
  suture("sign", fix, "--key", key.secret);
  suture("key", "trust", key.public);
  chmodSync(join(root, "etc/suture/keys"), 0o777);
  for (const args of [
    ["verify", fix],
    ["key", "list"],
    ["load", fix, "--pid", "1"],
    ["key", "remove", "release"],
  ])
    expect(suture(...args)).toMatchObject({
      status: 1,
      stdout: "",
      stderr: expect.stringMatching(/^TRUST_NOT_SAFE: /),
    });
});

test("a line of the configuration that is not known holds everything up", () => {
  mkdirSync(join(root, "etc/suture"), { recursive: true, mode: 0o755 });
  writeFileSync(join(root, "etc/suture/suture.conf"), "require-signatures=maybe\n", { mode: 0o644 });
  expect(suture("load", fix, "--pid", String(process.pid))).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^CONFIGURATION_UNREADABLE: [^\n]*\n {2}\S*suture\.conf, line 1\n/),
  });
});
