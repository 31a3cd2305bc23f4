import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { commands } from "../src/cli/commands.ts";
import { shown } from "./fixtures/shown.ts";

const root = resolve(import.meta.dirname, "..");
const bin = join(root, "bin/suture");
let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "suture-cli-test-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

interface Said {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function suture(...args: string[]): Said {
  return ran(bin, args);
}

function ran(program: string, args: readonly string[], input?: string): Said {
  const env = { ...process.env, SUTURE_CACHE: join(directory, "cache") };
  return spawnSync(program, args, { encoding: "utf8", env, cwd: directory, ...(input === undefined ? {} : { input }) });
}

test("--version is the version", () => {
  expect(suture("--version")).toEqual(expect.objectContaining({ status: 0, stdout: "0.1.0\n", stderr: "" }));
});

test("it runs through a link, from any directory, by any spelling of its path", () => {
  const link = join(directory, "linked");
  symlinkSync(bin, link);
  expect(ran(link, ["--version"]).stdout).toBe("0.1.0\n");
  expect(ran("sh", ["-c", 'cd "$0" && sh suture --version', join(root, "bin")]).stdout).toBe("0.1.0\n");
});

test("--help of every command goes to standard output and names its options", () => {
  for (const { name, options } of commands) {
    const { status, stdout, stderr } = suture(...name.split(" "), "--help");
    expect({ name, status, stderr }).toEqual({ name, status: 0, stderr: "" });
    for (const long of [...Object.keys(options), "json", "quiet"]) expect(stdout).toContain(`--${long}`);
  }
});

describe("a command line that cannot be understood is USAGE, with exit code 1 and the help that helps", () => {
  test.each([
    [[], "no command is given", "suture --help"],
    [["kernel"], "no command is given", "suture --help"],
    [["biuld"], "unknown command 'biuld'", "suture --help"],
    [["explain"], "missing required argument 'FILE'", "suture explain --help"],
    [["explain", "a", "b"], "too many arguments", "suture explain --help"],
    [["explain", "a", "--colour"], "unknown option '--colour'", "suture explain --help"],
    [["kernel", "fetch"], "missing required argument 'RELEASE'", "suture kernel fetch --help"],
    [["completion", "csh"], "'csh'", "suture completion --help"],
    [["build", "--kernel", "running"], "missing required argument 'DIFF'", "suture build --help"],
    [["build", "a.patch"], "what to patch is not given", "suture build --help"],
    [["build", "a.patch", "--kernel", "running", "--jobs", "0"], "from 1", "suture build --help"],
    [["build", "a.patch", "--kernel", "running", "-p", "x"], "--strip takes a whole number", "suture build --help"],
    [["rehearse", "a.ko", "--timeout", "soon"], "--timeout takes a number of seconds", "suture rehearse --help"],
    [["rehearse", "a.ko", "--file", "here"], "--file takes HOST:GUEST", "suture rehearse --help"],
    [["rehearse", "a.ko", "--source", "x"], "needs --headers, --vmlinux, --modules", "suture rehearse --help"],
    [["rehearse", "a.ko", "--source", "x", "--kernel", "running"], "exclude each other", "suture rehearse --help"],
    [["build", "a.patch", "--module-source", "x"], "also needs the kernel", "suture build --help"],
    [["catch-up", "--kernel", "running", "--module-source", "x"], "with --series", "suture catch-up --help"],
  ])("%j", (args, what, hint) => {
    const { status, stdout, stderr } = suture(...args);
    expect(status).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toContain("USAGE: ");
    expect(stderr).toContain(what);
    expect(stderr.trimEnd().split("\n").at(-1)).toBe(`  ${hint}`);
  });
});

test("with --json an error is one document on standard output", () => {
  for (const args of [["explain", "absent.ko", "--json"], ["explain", "--json"], ["--json"]]) {
    const { status, stdout } = suture(...args);
    expect(status).toBe(1);
    expect(shown(stdout)).toEqual({
      document: { name: "error", version: 1 },
      error: expect.objectContaining({ code: expect.any(String) }),
    });
  }
  const { error } = shown(suture("explain", "absent.ko", "--json").stdout);
  expect(error).toMatchObject({ code: "FILE_UNREADABLE", where: "absent.ko" });
});

test("a file that is no livepatch is said to be none", () => {
  writeFileSync(join(directory, "text.ko"), "not an ELF file");
  expect(suture("explain", "text.ko").stderr).toContain("text.ko");
  expect(suture("explain", process.execPath).stderr).toMatch(/^NOT_A_LIVEPATCH: /);
});

test("a diff that is not there is said so before anything else is done", () => {
  const { status, stderr } = suture("build", "absent.patch", "--kernel", "6.1.0-1-cloud-amd64");
  expect(status).toBe(1);
  expect(stderr).toBe("FILE_UNREADABLE: cannot read a file: there is no such file\n  absent.patch\n");
});

test("a reader that goes away is no error", () => {
  const { status, stderr } = ran("bash", ["-c", 'set -o pipefail; "$0" completion bash | true', bin]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
});

test("a cache without kernels is an empty list", () => {
  expect(shown(suture("kernel", "list", "--json").stdout)).toMatchObject({ kernels: [] });
  expect(shown(suture("completion", "bash", "--json").stdout)).toMatchObject({ shell: "bash" });
  expect(suture("kernel", "remove", "6.1.0-1-cloud-amd64").stderr).toMatch(/^KERNEL_NOT_READY: /);
});

test("Ctrl-C ends a wait with INTERRUPTED, by the signal itself, and leaves others' locks alone", async () => {
  const kernels = join(directory, "cache/kernels");
  const release = "6.1.0-1-cloud-amd64";
  mkdirSync(kernels, { recursive: true });
  const lock = join(kernels, `.${release}.lock`);
  writeFileSync(lock, `${process.pid}\n`);
  const holder = spawn("flock", [lock, "sh", "-c", "echo held; exec sleep infinity"], { detached: true });
  await once(holder.stdout, "data");
  const env = { ...process.env, SUTURE_CACHE: join(directory, "cache") };
  const child = spawn(bin, ["kernel", "fetch", release], { env, stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  let sent = false;
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk;
    if (sent || !stderr.includes(`waiting for process ${process.pid}`)) return;
    sent = child.kill("SIGINT");
  });
  expect(await once(child, "close")).toEqual([null, "SIGINT"]);
  expect(stderr).toContain("INTERRUPTED: stopped by SIGINT");
  expect(readdirSync(kernels)).toEqual([`.${release}.lock`]);
  process.kill(-(holder.pid as number), "SIGKILL");
});

test("the installed package runs what was compiled, on the Node in PATH", () => {
  const packed = ran("npm", ["pack", "--silent", "--pack-destination", directory, root]);
  expect(packed.status).toBe(0);
  const tarball = readdirSync(directory).find((name) => name.endsWith(".tgz")) as string;
  expect(ran("tar", ["-xzf", tarball]).status).toBe(0);
  const installed = join(directory, "package");
  expect(readdirSync(installed)).toEqual(
    expect.arrayContaining(["CHANGELOG.md", "LICENSE", "README.md", "bin", "dist", "docs", "package.json"]),
  );
  expect(readdirSync(installed)).not.toContain("src");
  symlinkSync(join(root, "node_modules"), join(installed, "node_modules"));
  symlinkSync(join(installed, "bin/suture"), join(directory, "suture"));
  // The checkout's Node would be found first: leave it out.
  const path = (process.env["PATH"] ?? "").split(":").filter((each) => !each.includes("node_modules"));
  const script = `PATH=${path.join(":")}; "$0" --version; "$0" explain /bin/true --json; "$0" kernel list`;
  const { stdout } = ran("sh", ["-c", script, join(directory, "suture")]);
  expect(stdout).toContain("0.1.0\n");
  expect(stdout).toContain('"code": "NOT_A_LIVEPATCH"');
  expect(stdout).toContain("no kernel is ready");
  mkdirSync(join(directory, "node_modules"));
  symlinkSync(installed, join(directory, "node_modules/suture"));
  const parts = ["", "/builder", "/process", "/core", "/elf"].map((part) => `import("suture${part}")`);
  const names = `const all = await Promise.all([${parts.join(", ")}]); console.log(JSON.stringify(all.map(Object.keys)))`;
  const shown = JSON.parse(ran(process.execPath, ["--input-type=module", "-e", names]).stdout);
  expect(shown[0]).toEqual(
    expect.arrayContaining(["buildForKernel", "buildForProgram", "KernelTarget", "ProcessTarget"]),
  );
  expect(shown.slice(1).map((each: string[]) => each.length > 0)).toEqual([true, true, true, true]);
  expect(readdirSync(join(installed, "dist"))).toContain("index.d.ts");
});
