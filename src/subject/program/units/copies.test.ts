import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import type { ChangedFile } from "../../../source/diffs/diff-input.ts";
import { withCopies } from "./copies.ts";

test("a change of a file is one of its copies that were compiled, and of no file that differs", () => {
  const tree = mkdtempSync(join(tmpdir(), "suture-copies-"));
  try {
    const sources = ["src/core/a.c", "build/light/src/core/a.c", "build/full/src/core/a.c", "other/src/core/a.c"];
    for (const path of sources) {
      mkdirSync(join(tree, dirname(path)), { recursive: true });
      writeFileSync(join(tree, path), path.startsWith("build/full") ? "int other;\n" : "int a;\n");
    }
    const command = { compiler: "gcc", directory: tree, source: "a.c", args: [], object: undefined };
    const units = sources.slice(1, 3).map((source) => ({ source, command }));
    const file: ChangedFile = { path: "src/core/a.c", kind: "source", original: "int a;\n", patched: "int b;\n" };
    const all = withCopies({ tree, units, shipped: [], package: undefined }, [file]);
    expect(all.map(({ path }) => path)).toEqual(["src/core/a.c", "build/light/src/core/a.c"]);
  } finally {
    rmSync(tree, { recursive: true });
  }
});
