/** What lies between the files of a program: names that move, that others have, files that others read. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { changed, type Files, Project } from "./project.ts";

const MAIN = `#include <stdio.h>
#include "level.h"
int main(void) { printf("%d %d %d\\n", level(3), use(4), table()); return 0; }
`;
const LEVEL_H = "extern int kept;\nint level(int n); int use(int n); int table(void);\n";
const LEVEL = `#include "level.h"
int kept = 7;
static int seen;
__attribute__((noinline)) int level(int n) { int all = kept; for (int i = 0; i < n; i++) all ^= all * i + seen; return all; }
int last(void) { return seen++ + kept; }
`;
const USE = `#include "level.h"
int use(int n) { int all = 1; for (int i = 0; i < n; i++) all += level(i) * all; return all; }
`;
const TABLE = `#include "level.h"
#define NAME "values.tbl"
static const int values[] = {
#include NAME
};
int table(void) { int all = 0; for (unsigned i = 0; i < sizeof values / sizeof *values; i++) all += values[i] ^ all << 1; return all; }
`;
const INNER =
  "static int inner(int n) { int all = n; for (int i = 0; i < n; i++) all += i * all; return all; }\nint outer(int n) { return inner(n) + 1; }\n";
const FILES: Files = {
  "main.c": MAIN,
  "level.h": LEVEL_H,
  "level.c": LEVEL,
  "use.c": USE,
  "table.c": TABLE,
  "weak.c": "int __attribute__((weak)) fallback(int n) { return n + 1; }\nint ask(int n) { return fallback(n) * 2; }\n",
  "inner.c": INNER,
  "again.c": INNER.includes("outer") ? '#define outer outer_again\n#include "inner.c"\n' : "",
  "values.tbl": "1, 2, 3\n",
};

let project: Project;
beforeAll(() => {
  project = new Project(FILES, "-O2", "-pie -rdynamic");
});
afterAll(() => project.remove());

function patchedFunctions(): string[] {
  return project
    .metadata()
    .objects.flatMap(({ funcs }) => funcs.map(({ name }) => name))
    .sort();
}

const DEFINITION = /__attribute__\(\(noinline\)\) int level[^\n]*\n/.exec(LEVEL)?.[0] ?? "";

test("a function that moves to another file and changes is hooked where it runs", () => {
  const now = DEFINITION.replace("n; i++", "n + 1; i++").replace(" + seen", "");
  const { codes } = project.build({ "level.c": LEVEL.replace(DEFINITION, ""), "use.c": USE + now });
  expect(codes).toEqual([]);
  expect(patchedFunctions()).toContain("level");
});

test("a variable that moves to another file is the running one", () => {
  const { codes } = project.build({
    "level.c": changed(LEVEL, "int kept = 7;\n", ""),
    "use.c": changed(USE, "int use(int n) { int all = 1;", "int kept = 7;\nint use(int n) { int all = kept;"),
  });
  expect(codes).toEqual([]);
  expect(project.metadata().needs.map(({ name }) => name)).toContain("kept");
});

test("a static variable that is renamed would lose what it holds", () => {
  expect(project.build({ "level.c": LEVEL.replaceAll("seen", "known") }).codes).toEqual(["VARIABLE_REPLACED"]);
});

test("a name that the program has, or takes from a library, is not defined anew", () => {
  const last = "int last(void) { return 3; }\n";
  expect(
    project.build({ "use.c": `${USE.replace("all = 1", "all = last()").replace("int use", `${last}int use`)}` }).codes,
  ).toContain("ALREADY_DEFINED");
  const printf = "int printf(const char *text, ...) { return text[0]; }\n";
  expect(
    project.build({ "use.c": USE.replace("all = 1", 'all = printf("")').replace("int use", `${printf}int use`) }).codes,
  ).toContain("ALREADY_DEFINED");
});

test("a strong definition of what a stripped program has weakly is refused", () => {
  const strong = "int fallback(int n) { return n * 9; }\n";
  const stripped = new Project(FILES, "-O2", "-pie");
  try {
    const text = USE.replace("all = 1", "all = fallback(n)").replace("int use", `${strong}int use`);
    expect(stripped.build({ "use.c": text }).codes).toEqual(["ALREADY_DEFINED"]);
  } finally {
    stripped.remove();
  }
});

test("a file that is compiled by itself and in another one is patched in both", () => {
  const { codes } = project.build({ "inner.c": changed(INNER, "inner(n) + 1", "inner(n) + 2") });
  expect(codes).toEqual([]);
  expect(patchedFunctions()).toEqual(["outer", "outer_again"]);
});

test("a file is found that a macro names, whatever it is called", () => {
  const { codes } = project.build({ "values.tbl": "1, 2, 4\n" });
  expect(codes).toEqual([]);
  expect(patchedFunctions()).toEqual(["table"]);
});

test("a file that goes and is still read leaves code that does not compile", () => {
  const { codes } = project.build({ "values.tbl": undefined });
  expect(codes).toEqual(["DOES_NOT_COMPILE"]);
});

test("a file of the machine that builds is not taken in", () => {
  const outside = join(project.directory, "..", `${project.directory.split("/").pop()}-outside`);
  mkdirSync(outside);
  try {
    const secret = join(outside, "secret.h");
    writeFileSync(secret, "#define SECRET 5\n");
    const code = (text: string) =>
      USE.replace("all = 1", "all = SECRET").replace('#include "level.h"\n', `#include "level.h"\n${text}`);
    const told = (text: string) => {
      const { codes, result } = project.build({ "use.c": text });
      expect(codes).toEqual(["OUTSIDE_FILE"]);
      expect(result.refusals[0].what).toContain(secret);
    };
    told(code(`#include "${secret}"\n`));
    told(code(`#include <${secret}>\n`));
    const assembled = (words: string) =>
      `__asm__(${words});\nextern const char secret[];\n${USE.replace("all = 1", "all = secret[0]")}`;
    told(assembled(`".section .rodata\\nsecret: .incbin \\"${secret}\\"\\n.text\\n"`));
    told(
      assembled(
        `".macro take what\\n.inc" "bin \\"\\\\what\\"\\n.endm\\n.section .rodata\\nsecret: take ${secret}\\n.text\\n"`,
      ),
    );
  } finally {
    rmSync(outside, { recursive: true });
  }
});

test("what a header changes and nobody uses is not said to be compiled nowhere", () => {
  const { status, result } = project.build({ "level.h": `${LEVEL_H}#define UNUSED 5\n` });
  expect({ status, result }).toMatchObject({ status: 3, result: { notes: [{ code: "NOT_REACHED" }] } });
});

test("a new variable that a constructor sets up is refused", () => {
  const used = changed(USE, "int all = 1", "int all = base");
  const start = "__attribute__((constructor)) static void start(void) { base = level(3); }\n";
  const { codes } = project.build({ "use.c": `static int base;\n${used}${start}` });
  expect(codes).toEqual(["NEEDS_INIT"]);
});

test("a variable of another size is told as that", () => {
  const { result } = project.build({ "level.c": changed(LEVEL, "static int seen", "static long seen") });
  const what = expect.stringMatching(/^seen has another size with the diff \(4 → 8 bytes\)/);
  expect(result.refusals).toEqual([expect.objectContaining({ code: "DATA_CHANGED", what })]);
});

test("a file of the source is not overwritten by the livepatch", () => {
  const { result } = project.build({ "use.c": changed(USE, "int all = 1", "int all = 2") }, "--output", "level.c");
  expect(result).toMatchObject({ error: { code: "OUTPUT_IS_INPUT" } });
  expect(readFileSync(join(project.directory, "level.c"), "utf8")).toBe(LEVEL);
});
