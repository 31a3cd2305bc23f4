import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../../lib/temp.ts";
import type { Unit } from "../../../provider/kernel/unit.ts";
import { mostConcerned } from "./most-concerned.ts";

const HEADER = "struct other {\n\tint first;\n};\n\nstruct widget {\n\tint colour;\n};\n";

function unit(source: string): Unit {
  return { source, object: source.replace(/c$/, "o"), args: [], lands: { kind: "vmlinux" }, objtool: undefined };
}

async function chosen(
  sources: Readonly<Record<string, string>>,
  from: string,
  to: string,
): Promise<string | undefined> {
  await using tree = await temporaryDirectory();
  mkdirSync(join(tree.path, "include"));
  for (const [path, text] of Object.entries(sources)) writeFileSync(join(tree.path, path), text);
  const files = [
    { path: "include/widget.h", kind: "header", original: HEADER, patched: HEADER.replace(from, to) } as const,
  ];
  return mostConcerned([...Object.keys(sources), "gone.c"].map(unit), files, tree.path)?.source;
}

test("the unit is chosen that names the type that is changed, and what is changed in it, most often", async () => {
  const sources = {
    "a.c": "struct other o; int f(void) { return o.first; }",
    "b.c": "struct widget w; int f(void) { return w.colour; }",
    "c.c": "struct widget w; int f(void) { return w.colour + w.colour; }",
  };
  expect(await chosen(sources, "\tint colour", "\tlong colour")).toBe("c.c");
  expect(await chosen(sources, "\tint first", "\tlong first")).toBe("a.c");
});

test("none is, where no unit has a word of it", async () => {
  expect(await chosen({ "a.c": "int f(void) { return 1; }" }, "\tint colour", "\tlong colour")).toBe(undefined);
});
