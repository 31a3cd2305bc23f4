import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createTwoFilesPatch } from "diff";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fixesOf } from "./fix.ts";
import { namedPatch } from "./named-patch.ts";
import { readSeriesText } from "./needs.ts";

let tree: string;
beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), "suture-needs-"));
});
afterEach(() => rmSync(tree, { recursive: true }));

/** So far apart that no patch has lines of another one's around its own. */
const APART = "\n".repeat(8);
const FILES: Readonly<Record<string, string>> = {
  "a.c": `#include "a.h"${APART}int counted;${APART}int get(struct a *a)\n{\n\treturn a->one;\n}${APART}int put(struct a *a)\n{\n\treturn get(a) - 1;\n}\n`,
  "b.c": `#include "a.h"${APART}static int own(int n)\n{\n\treturn n;\n}${APART}int both(struct a *a)\n{\n\treturn own(a->one);\n}\n`,
  "c.c": `static int own(int n)\n{\n\treturn n + 1;\n}${APART}int other(int n)\n{\n\treturn own(n);\n}\n`,
  "a.h": `struct a {\n\tint one;\n\tint two;\n};${APART}int get(struct a *a);\n`,
};

type Edit = readonly [path: string, from: string, to: string];

/** By fix, names of those that it needs; the fixes are called by their place. */
function needs(...edits: readonly (readonly Edit[])[]): string[] {
  const texts = { ...FILES };
  for (const [path, text] of Object.entries(FILES)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), text);
  }
  const series = edits.map((parts, i) => {
    const diffs = parts.map(([path, from, to]) => {
      const before = texts[path] ?? "";
      if (!before.includes(from)) throw new Error(`no ${from}`);
      texts[path] = before.replace(from, to);
      return createTwoFilesPatch(`a/${path}`, `b/${path}`, before, texts[path], "", "", { context: 3 });
    });
    return namedPatch(`${i}`, Buffer.from(diffs.join("")));
  });
  const fixes = fixesOf(series);
  const text = readSeriesText(series, fixes, { tree, isPassedOver: () => false });
  return text.needs.map((each) => [...each].sort().join(" "));
}

test("fixes of different functions need nothing of each other", () => {
  expect(needs([["a.c", "return a->one", "return a->one + 1"]], [["c.c", "return n + 1", "return n + 2"]])).toEqual([
    "",
    "",
  ]);
});

test("two that change the same function come together", () => {
  const first: Edit = ["a.c", "\treturn a->one;", "\tif (a == 0)\n\t\treturn 0;\n\n\n\n\n\n\treturn a->one;"];
  expect(needs([first], [["a.c", "\treturn a->one;", "\treturn a->one + 1;"]])).toEqual(["", "0"]);
});

test("one that calls what another changes comes with it, in whatever order they were made", () => {
  const callee: Edit = ["a.c", "return a->one", "return a->one + 1"];
  const caller: Edit = ["a.c", "return get(a) - 1", "return get(a) - 2"];
  expect(needs([callee], [caller])).toEqual(["", "0"]);
  expect(needs([caller], [callee])).toEqual(["", "0"]);
});

test("one that uses a member or a macro that another adds needs it", () => {
  expect(needs([["a.h", "\tint two;", "\tint two;\n\tint three;"]], [["b.c", "own(a->one)", "own(a->three)"]])).toEqual(
    ["", "0"],
  );
  expect(needs([["a.h", "struct a {", "#define MOST 9\nstruct a {"]], [["b.c", "own(a->one)", "own(MOST)"]])).toEqual([
    "",
    "0",
  ]);
});

test("a type's other members are of no matter", () => {
  expect(
    needs([["a.h", "\tint two;", "\tint two;\n\tint three;"]], [["b.c", "own(a->one)", "own(a->one + 1)"]]),
  ).toEqual(["", ""]);
});

test("functions of one name in two files, known there alone, are two", () => {
  expect(needs([["b.c", "return n;", "return n - 1;"]], [["c.c", "return own(n)", "return own(n + 1)"]])).toEqual([
    "",
    "",
  ]);
});

test("one whose lines stand among another's needs that one alone", () => {
  const edits: Edit[] = [
    ["a.c", "int counted;", "int counted;\n/* one */"],
    ["a.c", "return get(a) - 1", "return get(a) - 3"],
    ["a.c", "/* one */", "/* one */\n/* two */"],
  ];
  expect(needs(...edits.map((edit) => [edit]))).toEqual(["", "", "0"]);
});

test("patches of one CVE are one fix, and so are a patch and what mends it", () => {
  const header = (text: string): Uint8Array => Buffer.from(`${text}\n\n--- a/a.c\n+++ b/a.c\n@@ -1 +1 @@\n-a\n+b\n`);
  const series = [
    namedPatch("CVE-2026-1.patch", header("Subject: no CVE has so few digits")),
    namedPatch("one.patch", header("Subject: [PATCH 1/2] one\n\nThis is CVE-2026-12345.")),
    namedPatch(
      "two.patch",
      header("From 0123456789abcdef0123456789abcdef01234567 Mon Sep 17 00:00:00 2001\nSubject: two"),
    ),
    namedPatch("CVE-2026-12345-2.patch", header("Description: the other\n half")),
    namedPatch(undefined, header('Subject: mended\n\nFixes: 0123456789ab ("two")')),
  ];
  expect(fixesOf(series).map(({ name, subject, cves, patches }) => [name, subject, cves, patches])).toEqual([
    ["CVE-2026-1.patch", "no CVE has so few digits", [], [0]],
    ["one.patch", "one", ["CVE-2026-12345"], [1, 3]],
    ["two.patch", "two", [], [2, 4]],
  ]);
});
