import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { shown } from "./fixtures/shown.ts";

const bin = resolve(import.meta.dirname, "../bin/suture");
const SOURCE = `
int outside(int);
int changes(int a) { return outside(a) + 1; }
int stays(int a) { return outside(a) * 3; }
`;

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "suture-object-diff-test-"));
  compile("original.o", SOURCE);
  compile("patched.o", `${SOURCE.replace("+ 1", "+ 2")}\nint added(void) { return 7; }\n`);
  const hookless = SOURCE.replace("int changes", "__attribute__((no_instrument_function)) int changes");
  compile("hookless.o", hookless);
  compile("hookless-patched.o", hookless.replace("+ 1", "+ 2"));
});
afterAll(() => rmSync(directory, { recursive: true }));

function compile(object: string, source: string): void {
  const input = object.replace(/\.o$/, ".c");
  writeFileSync(join(directory, input), source);
  const flags = ["-O2", "-pg", "-mfentry", "-fno-pic", "-ffunction-sections", "-fdata-sections"];
  expect(spawnSync("gcc", [...flags, "-c", input, "-o", object], { cwd: directory }).status).toBe(0);
}

function objectDiff(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(bin, ["object-diff", ...args], { encoding: "utf8", cwd: directory });
}

test("--json names the changed functions with the reason, the new ones and the refusals", () => {
  const { status, stdout } = objectDiff("original.o", "patched.o", "--json");
  expect(status).toBe(0);
  expect(shown(stdout)).toMatchObject({
    changed: [{ name: "changes", why: expect.stringMatching(/./) }],
    new: ["added"],
    refusals: [],
  });
});

test("-o writes an object with the new code, in which the rest is undefined", () => {
  expect(objectDiff("original.o", "patched.o", "-o", "out.o").status).toBe(0);
  const { stdout } = spawnSync("readelf", ["-sW", "out.o"], { encoding: "utf8", cwd: directory });
  expect(stdout).toMatch(/ FUNC +LOCAL +DEFAULT +\d+ changes$/m);
  expect(stdout).toMatch(/ UND outside$/m);
  expect(stdout).not.toContain("stays");
  expect(spawnSync("objdump", ["-dr", "out.o"], { cwd: directory }).status).toBe(0);
});

test("-o writes nothing where there is nothing to write", () => {
  expect(objectDiff("original.o", "original.o", "-o", "none.o").status).toBe(3);
  expect(objectDiff("hookless.o", "hookless-patched.o", "-o", "none.o").status).toBe(2);
  expect(existsSync(join(directory, "none.o"))).toBe(false);
});

test("equal objects change nothing: exit code 3", () => {
  expect(objectDiff("original.o", "original.o")).toMatchObject({
    status: 3,
    stdout: "no function of the running object changes\n",
    stderr: "",
  });
});

test("a function that the linked object does not have is refused: exit code 2", () => {
  writeFileSync(join(directory, "linked"), "     1: 0000000000000000    11 FUNC    GLOBAL DEFAULT    1 stays\n");
  const { status, stdout } = objectDiff("original.o", "patched.o", "--symbols", "linked", "--json");
  expect(status).toBe(2);
  expect(shown(stdout).refusals).toEqual([
    { code: "NOT_IN_OBJECT", what: expect.any(String), where: "original.o: changes", hint: expect.any(String) },
  ]);
});

test("new code that refers to what is neither linked nor exported is refused, and what is exported is not", () => {
  const { stdout: symbols } = spawnSync("readelf", ["-sW", "original.o"], { encoding: "utf8", cwd: directory });
  writeFileSync(join(directory, "linked"), symbols);
  const withSymvers = (symvers: string): string[] => {
    writeFileSync(join(directory, "symvers"), symvers);
    const args = ["original.o", "patched.o", "--symbols", "linked", "--symvers", "symvers", "--json"];
    return shown(objectDiff(...args).stdout).refusals.map(({ where }: { where: string }) => where);
  };
  expect(withSymvers("0x00000001\t__fentry__\tvmlinux\tEXPORT_SYMBOL\t\n")).toEqual(["patched.o: outside"]);
  expect(
    withSymvers("0x00000001\t__fentry__\tvmlinux\tEXPORT_SYMBOL\t\n0x00000002\toutside\tvmlinux\tEXPORT_SYMBOL\t\n"),
  ).toEqual([]);
});

test("a changed function that has no hook is refused where others have one", () => {
  const { status, stderr } = objectDiff("hookless.o", "hookless-patched.o");
  expect(status).toBe(2);
  expect(stderr).toMatch(/^NO_HOOK: /);
});

test.each([
  ["--struct", "alt_instr"],
  ["--struct", "alt_instr=0"],
  ["--struct", "alt_instr=14;x=1"],
])("%s %s is a usage error", (...args) => {
  expect(objectDiff("original.o", "patched.o", ...args)).toMatchObject({ status: 1, stdout: "" });
});

test("a list of symbols that is none is said to be none", () => {
  expect(objectDiff("original.o", "patched.o", "--symbols", "original.c").stderr).toMatch(/^SYMBOLS_UNREADABLE: /);
});

test("a file that is no object is an error: exit code 1", () => {
  expect(objectDiff("original.c", "patched.o")).toMatchObject({ status: 1, stdout: "" });
});
