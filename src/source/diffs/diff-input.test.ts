import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createTwoFilesPatch } from "diff";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SutureError } from "../../lib/error.ts";
import type { Note } from "../../patch/metadata.ts";
import { refusal } from "../../patch/refusal.ts";
import { type DiffInput, type DiffOptions, readDiffs } from "./diff-input.ts";
import type { FileRules } from "./file-rules.ts";

const TCP = Array.from({ length: 40 }, (_, i) => `int line${i + 1};\n`).join("");
let tree = "";

beforeAll(() => {
  tree = mkdtempSync(join(tmpdir(), "suture-test-"));
  const files: Record<string, string> = {
    "net/tcp.c": TCP,
    "include/linux/a.h": "int a;\n",
    "net/latin.c": "/* \xe9 */\nint a;\n",
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(tree, dirname(path)), { recursive: true });
    writeFileSync(join(tree, path), text, "latin1");
  }
});
afterAll(() => rmSync(tree, { recursive: true }));

/** Of a source in which all is C but what its name says. */
const rules: FileRules = {
  kindOf: (path) => (path.endsWith(".h") ? "header" : path.endsWith(".md") ? "not-code" : "source"),
  note: () => undefined,
  refusal: (path) => refusal("RUST_CHANGED", "it is changed", path, "leave it out"),
};

async function read(texts: string | readonly string[], options: Partial<DiffOptions> = {}): Promise<DiffInput> {
  const diffs = (typeof texts === "string" ? [texts] : texts).map((text, i) => ({
    name: `${i + 1}.patch`,
    data: Buffer.from(text, "latin1"),
  }));
  const isUnit = async (): Promise<boolean> => false;
  return await readDiffs(diffs, { tree, isUnit, leftOut: [], rules, ...options });
}

async function errorOf(texts: string | readonly string[], options: Partial<DiffOptions> = {}): Promise<SutureError> {
  const error = await read(texts, options).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof SutureError)) throw new Error(`not a SutureError: ${String(error)}`);
  return error;
}

function change(path: string, before: string, after: string): string {
  return createTwoFilesPatch(`a/${path}`, `b/${path}`, before, after);
}

describe("a diff becomes the files before and after it", () => {
  test("a plain unified diff", async () => {
    const after = TCP.replace("line20", "changed");
    const { files, refusals, notes } = await read(change("net/tcp.c", TCP, after));
    expect(files).toEqual([{ path: "net/tcp.c", kind: "source", original: TCP, patched: after }]);
    expect([refusals, notes]).toEqual([[], []]);
  });

  test("a mail of git format-patch, several files in it", async () => {
    const mail =
      "From abc Mon Sep 17 00:00:00 2001\nSubject: [PATCH] x\n\n---\n net/tcp.c | 2 +-\n\n" +
      "diff --git a/include/linux/a.h b/include/linux/a.h\nindex 1..2 100644\n--- a/include/linux/a.h\n+++ b/include/linux/a.h\n@@ -1 +1,2 @@\n int a;\n+int b;\n" +
      "diff --git a/net/tcp.c b/net/tcp.c\nindex 1..2 100644\n--- a/net/tcp.c\n+++ b/net/tcp.c\n@@ -1,2 +1,2 @@ x\n-int line1;\n+int one;\n int line2;\n-- \n2.39.5\n\n";
    const { files } = await read(mail);
    expect(files.map(({ path, kind }) => [path, kind])).toEqual([
      ["include/linux/a.h", "header"],
      ["net/tcp.c", "source"],
    ]);
    expect(files[0]?.patched).toBe("int a;\nint b;\n");
  });

  test("several diffs, one after the other, to the same file", async () => {
    const first = TCP.replace("line20", "first");
    const second = first.replace("first", "second");
    const { files } = await read([change("net/tcp.c", TCP, first), change("net/tcp.c", first, second)]);
    expect(files).toEqual([{ path: "net/tcp.c", kind: "source", original: TCP, patched: second }]);
  });

  test("diffs that undo each other change nothing", async () => {
    const after = TCP.replace("line20", "first");
    expect((await read([change("net/tcp.c", TCP, after), change("net/tcp.c", after, TCP)])).files).toEqual([]);
  });

  test("a new file and a deleted one", async () => {
    const text =
      "diff --git a/net/new.c b/net/new.c\nnew file mode 100644\n--- /dev/null\n+++ b/net/new.c\n@@ -0,0 +1 @@\n+int n;\n" +
      "diff --git a/include/linux/a.h b/include/linux/a.h\ndeleted file mode 100644\n--- a/include/linux/a.h\n+++ /dev/null\n@@ -1 +0,0 @@\n-int a;\n";
    const { files } = await read(text);
    expect(files).toEqual([
      { path: "include/linux/a.h", kind: "header", original: "int a;\n", patched: undefined },
      { path: "net/new.c", kind: "source", original: undefined, patched: "int n;\n" },
    ]);
  });

  test("hunks apply where their lines have moved to", async () => {
    const moved = `int new1;\nint new2;\n${TCP}`;
    const { files } = await read([
      change("net/tcp.c", TCP, moved),
      change("net/tcp.c", TCP, TCP.replace("line30", "changed")),
    ]);
    expect(files[0]?.patched).toBe(moved.replace("line30", "changed"));
  });

  test("lines that end in CR LF", async () => {
    const text = change("net/tcp.c", TCP, TCP.replace("line20", "changed")).replaceAll("\n", "\r\n");
    expect((await read(text)).files[0]?.patched).toBe(TCP.replace("line20", "changed"));
  });

  test("names without a/ and b/, or with more in front", async () => {
    const plain = change("net/tcp.c", TCP, TCP.replace("line20", "changed"));
    expect((await read(plain.replaceAll("a/net", "net").replaceAll("b/net", "net"))).files).toHaveLength(1);
    const deep = plain.replaceAll("a/net", "x/y/net").replaceAll("b/net", "x/z/net");
    expect((await read(deep, { strip: 2 })).files).toHaveLength(1);
    expect((await read(deep)).files).toHaveLength(1);
    expect((await errorOf(deep, { strip: 1 })).code).toBe("FILE_NOT_IN_SOURCE");
    const absolute = plain.replace("a/net", "/elsewhere/old/net").replace("b/net", `${tree}/net`);
    expect((await read(absolute)).files).toHaveLength(1);
  });

  test("all files of a diff have as many directories in front; a new one has its directory", async () => {
    const tcp = change("net/tcp.c", TCP, TCP.replace("line20", "changed"));
    const file = "--- /dev/null\n+++ w/b/net/new.c\n@@ -0,0 +1 @@\n+int n;\n";
    const { files } = await read(`${tcp.replaceAll("a/net", "w/a/net").replaceAll("b/net", "w/b/net")}${file}`);
    expect(files.map(({ path }) => path)).toEqual(["net/new.c", "net/tcp.c"]);
    expect((await read("--- /dev/null\n+++ net/new.c\n@@ -0,0 +1 @@\n+int n;\n")).files[0]?.path).toBe("net/new.c");
  });

  test("a new and a deleted file as GNU diff writes them", async () => {
    const text =
      "--- a/net/new.c\t1970-01-01 00:00:00.000000000 +0000\n+++ b/net/new.c\t2026-01-01 00:00:00.0 +0000\n@@ -0,0 +1 @@\n+int n;\n" +
      "--- a/include/linux/a.h\t2026-01-01 00:00:00.0 +0000\n+++ b/include/linux/a.h\t1970-01-01 00:00:00.0 +0000\n@@ -1 +0,0 @@\n-int a;\n";
    expect((await read(text)).files.map(({ path, patched }) => [path, patched])).toEqual([
      ["include/linux/a.h", undefined],
      ["net/new.c", "int n;\n"],
    ]);
  });

  test("a diff with a terminal's colours", async () => {
    const plain = change("net/tcp.c", TCP, TCP.replace("line20", "changed"));
    const coloured = plain
      .replace(/^(---|\+\+\+) .*$/gm, "\u001b[1m$&\u001b[m")
      .replace(/^@@.*@@$/gm, "\u001b[36m$&\u001b[m")
      .replace(/^\+(int.*)$/gm, "\u001b[32m+\u001b[m\u001b[32m$1\u001b[m");
    expect((await read(coloured)).files).toEqual((await read(plain)).files);
  });

  test("bytes that are not UTF-8 stay as they are", async () => {
    const { files } = await read(change("net/latin.c", "/* \xe9 */\nint a;\n", "/* \xe9 */\nint b;\n"));
    expect(files[0]?.patched).toBe("/* \xe9 */\nint b;\n");
  });
});

describe("a diff that cannot be used says why", () => {
  test("one that does not apply: file, hunk, line, expected and found", async () => {
    const error = await errorOf(change("net/tcp.c", TCP.replace("line20", "other"), TCP.replace("line20", "changed")));
    expect(error.code).toBe("DIFF_DOES_NOT_APPLY");
    expect(error.where).toBe('1.patch: net/tcp.c, hunk 1 of 1, line 20: expected "int other;", found "int line20;"');
  });

  test("one that the source has already", async () => {
    const there = change("net/tcp.c", TCP.replace("line20", "x"), TCP);
    expect((await errorOf(there)).code).toBe("DIFF_ALREADY_APPLIED");
    const twice = `${change("net/tcp.c", TCP.replace("line20", "y"), TCP.replace("line20", "x"))}${there}`;
    expect((await errorOf(twice)).code).toBe("DIFF_ALREADY_APPLIED");
    // The lines stand elsewhere twice, and where the diff says they are others.
    writeFileSync(join(tree, "net/twice.c"), `int a;\n${TCP}${TCP}`);
    const elsewhere =
      "--- a/net/twice.c\n+++ b/net/twice.c\n@@ -9,2 +9,3 @@\n int line19;\n+int line20;\n int line21;\n";
    expect((await errorOf(elsewhere)).code).toBe("DIFF_DOES_NOT_APPLY");
    const renamed = "diff --git a/net/a.c b/net/b.c\nsimilarity index 100%\nrename from net/a.c\nrename to net/b.c\n";
    expect((await errorOf(`${there}${renamed}`)).code).toBe("DIFF_DOES_NOT_APPLY");
    // Half of it is not all of it.
    const half = await errorOf(`${there}${change("net/latin.c", "int a;\n", "int b;\n")}`);
    expect(half.code).toBe("DIFF_DOES_NOT_APPLY");
    expect(half.hint).toContain("has the change already");
  });

  test("one that applies only if the lines around it may differ", async () => {
    const error = await errorOf(
      change("net/tcp.c", TCP.replace("line17", "other"), TCP.replace("line17", "other").replace("line20", "changed")),
    );
    expect(error.code).toBe("DIFF_FUZZY");
    expect(error.where).toContain("line 17");
  });

  test("one whose lines stand at several places, and not where it says", async () => {
    const twice = `${TCP}${TCP}`;
    writeFileSync(join(tree, "net/twice.c"), twice);
    const diff =
      "--- a/net/twice.c\n+++ b/net/twice.c\n@@ -9,3 +9,3 @@\n int line19;\n-int line20;\n+int x;\n int line21;\n";
    const error = await errorOf(diff);
    expect(error.code).toBe("DIFF_AMBIGUOUS");
    expect(error.where).toContain("its lines stand at 19, 59");
    const { files } = await read(diff.replace("-9,3 +9,3", "-59,3 +59,3"));
    expect(files[0]?.patched).toBe(TCP + TCP.replace("line20", "x"));
  });

  test.each([
    ["DIFF_EMPTY", ""],
    ["DIFF_EMPTY", "just words\n"],
    ["DIFF_MALFORMED", "--- a/net/tcp.c\n+++ b/net/tcp.c\n@@ -1,5 +1,5 @@\n-int\n"],
    ["DIFF_MALFORMED", "@@ -1 +1 @@\n-int line1;\n+int one;\n"],
    ["DIFF_MALFORMED", "\0\0"],
    [
      "DIFF_MALFORMED",
      "--- a/net/tcp.c\n+++ b/net/tcp.c\n@@ -1,2 +1,2 @@\n-int line1;\n+int one;\n int line2;\n-int line3;\n",
    ],
    [
      "DIFF_MALFORMED",
      "--- a/net/tcp.c\n+++ b/net/tcp.c\n@@ -1,2 +1,2 @@\n-int line1;\n+int one;\n int line2;\n\n+int more;\n",
    ],
    ["DIFF_MALFORMED", `${change("net/tcp.c", TCP, TCP.replace("line20", "x"))}@@ -30 +30 @\n-int line30;\n+int y;\n`],
    ["DIFF_MALFORMED", `${change("net/tcp.c", TCP, TCP.replace("line20", "x"))}Only in b/net: new.c\n`],
    ["DIFF_MALFORMED", `${change("net/tcp.c", TCP, TCP.replace("line20", "x"))}Files a/net/x.c and b/net/x.c differ\n`],
    [
      "DIFF_MALFORMED",
      `${change("net/tcp.c", TCP, TCP.replace("line20", "x"))}Symbolic links a/net/x.c and b/net/x.c differ\n`,
    ],
    [
      "DIFF_MALFORMED",
      `${change("net/tcp.c", TCP, TCP.replace("line20", "x"))}File a/net/x is a directory while file b/net/x is a regular file\n`,
    ],
    ["DIFF_MALFORMED", `${change("net/tcp.c", TCP, TCP.replace("line20", "x"))}Binary file net/x.bin has changed\n`],
    [
      "DIFF_MALFORMED",
      `Index: net/x.bin\n${"=".repeat(67)}\nCannot display: file marked as a binary type.\n${change("net/tcp.c", TCP, TCP.replace("line20", "x"))}`,
    ],
    [
      "DIFF_MALFORMED",
      `${change("net/tcp.c", TCP, TCP.replace("line20", "x"))}Submodule lib 1234567..89abcde:\n  > a fix\n`,
    ],
    ["DIFF_MALFORMED", `${change("net/tcp.c", TCP, TCP.replace("line20", "x"))}* Unmerged path net/x.c\n`],
    ["DIFF_MALFORMED", "==== //depot/net/tcp.c#1 - /net/tcp.c ====\n@@ -1 +1 @@\n-int line1;\n+int one;\n"],
    ["DIFF_BINARY", "Binary files a/my file and b/my file differ\n"],
    ["DIFF_BINARY", "GIT binary patch\nliteral 1\nIcmZ\n\n"],
    ["DIFF_MALFORMED", "diff --cc net/tcp.c\n--- a/net/tcp.c\n+++ b/net/tcp.c\n@@@ -1,1 -1,1 +1,1 @@@\n- int line1;\n"],
    ["DIFF_MALFORMED", "*** a/net/tcp.c\n--- b/net/tcp.c\n***************\n*** 1,2 ****\n! int line1;\n"],
    [
      "DIFF_BINARY",
      `${change("net/tcp.c", TCP, TCP.replace("line20", "x"))}Binary files a/net/x.bin and b/net/x.bin differ\n`,
    ],
    [
      "DIFF_DOES_NOT_APPLY",
      "--- a/net/tcp.c\n+++ b/net/tcp.c\n@@ -1000000000,1 +1000000000,1 @@\n-int never;\n+int x;\n",
    ],
    ["DIFF_AMBIGUOUS", "--- a/net/tcp.c\n+++ b/net/tcp.c\n@@ -5,0 +6,1 @@\n+int x;\n"],
    ["BAD_DIFF_PATH", change("../../etc/passwd", "a\n", "b\n")],
    ["BAD_DIFF_PATH", "--- /etc/passwd\n+++ /etc/passwd\n@@ -1 +1 @@\n-a\n+b\n"],
    ["BAD_DIFF_PATH", change("net/../../x.c", "a\n", "b\n")],
    ["BAD_DIFF_PATH", change("net", "a\n", "b\n")],
    ["BAD_DIFF_PATH", change(`net/${"x".repeat(300)}`, "a\n", "b\n")],
    [
      "DIFF_BINARY",
      "diff --git a/net/tcp.c b/net/tcp.c\nindex 1..2\nBinary files a/net/tcp.c and b/net/tcp.c differ\n",
    ],
    ["DIFF_BINARY", "diff --git a/net/tcp.c b/net/tcp.c\nindex 1..2 100644\nGIT binary patch\nliteral 1\nIcmZ\n\n"],
    ["DIFF_BINARY", "Binary files a/net/tcp.c and b/net/tcp.c differ\n"],
    ["FILE_NOT_IN_SOURCE", change("net/none.c", "a\n", "b\n")],
    ["FILE_ALREADY_THERE", "--- /dev/null\n+++ b/net/tcp.c\n@@ -0,0 +1 @@\n+int n;\n"],
  ])("%s: %j", async (code, text) => {
    expect((await errorOf(text)).code).toBe(code);
  });
});

describe("a file that is not text and holds no code is left out, and said", () => {
  const text = change("net/tcp.c", TCP, TCP.replace("line20", "x"));
  const leaves: FileRules = { ...rules, note: (path, kind) => (kind === "not-code" ? notCode(path) : undefined) };
  const notCode = (path: string): Note => ({ code: "NOT_BUILT", text: `${path} is no code` });
  const bare = text.replaceAll("a/net/", "net/").replaceAll("b/net/", "net/");
  test.each([
    ["as GNU diff says it", `${text}Binary files a/net/x.md and b/net/x.md differ\n`],
    ["ahead of the rest", `Binary files a/net/x.md and b/net/x.md differ\n${text}`],
    ["by git", `diff --git a/net/x.md b/net/x.md\nindex 1..2 100644\nGIT binary patch\nliteral 1\nIcmZ\n\n${text}`],
    [
      "by git without prefixes",
      `diff --git net/x.md net/x.md\nindex 1..2 100644\nGIT binary patch\nliteral 1\nIcmZ\n\n${bare}`,
    ],
    [
      "by git without prefixes, named",
      `${bare}diff --git net/x.md net/x.md\nindex 1..2\nBinary files net/x.md and net/x.md differ\n`,
    ],
    [
      "by git with its other prefixes",
      `diff --git i/net/x.md w/net/x.md\nindex 1..2\nBinary files i/net/x.md and w/net/x.md differ\n${text}`,
    ],
  ])("%s", async (_, diff) => {
    const { files, notes } = await read(diff, { rules: leaves });
    expect(files.map(({ path, patched }) => [path, patched])).toEqual([["net/tcp.c", TCP.replace("line20", "x")]]);
    expect(notes.map(({ text }) => text)).toEqual(["net/x.md is no code"]);
  });
});

test("git without prefixes tells of a mode alone", async () => {
  const { files } = await read("diff --git net/tcp.c net/tcp.c\nold mode 100644\nnew mode 100755\n");
  expect(files).toEqual([]);
});

test("a file goes whose text git leaves out", async () => {
  const { files } = await read("diff --git net/tcp.c net/tcp.c\ndeleted file mode 100644\nindex 83db48f..0000000\n");
  expect(files.map(({ path, patched }) => [path, patched])).toEqual([["net/tcp.c", undefined]]);
});

test("a rename is refused", async () => {
  const text = "diff --git a/net/tcp.c b/net/t.c\nsimilarity index 100%\nrename from net/tcp.c\nrename to net/t.c\n";
  expect((await read(text)).refusals.map(({ code }) => code)).toEqual(["FILE_RENAMED"]);
});

test("what diff makes of two texts leads from the one to the other", async () => {
  const text = fc.array(fc.constantFrom("a", "b", "c", "-- x", "++ y", "", "@@ -1 +1 @@"), { maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(text, text, async (before, after) => {
      const [old, now] = [before, after].map((lines) => lines.map((line) => `${line}\n`).join("")) as [string, string];
      fc.pre(old !== now);
      writeFileSync(join(tree, "net/any.c"), old, "latin1");
      const { files } = await read(change("net/any.c", old, now));
      expect(files[0]?.patched).toBe(now);
    }),
    { numRuns: 200 },
  );
});

test("damaged diffs are errors with a code, or diffs", async () => {
  const whole = change("net/tcp.c", TCP, TCP.replace("line5", "x").replace("line30", "y"));
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length), fc.string({ maxLength: 4 }), fc.nat(20), async (at, put, gone) => {
      const damaged = whole.slice(0, at) + put + whole.slice(at + gone);
      await read(damaged).catch((error: unknown) => {
        if (!(error instanceof SutureError)) throw error;
      });
    }),
    { numRuns: 500 },
  );
});
