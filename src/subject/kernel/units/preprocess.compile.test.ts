import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Cache } from "../../../lib/cache.ts";
import { temporaryDirectory } from "../../../lib/temp.ts";
import type { Kernel } from "../../../provider/kernel/kernel.ts";
import type { Unit } from "../../../provider/kernel/unit.ts";
import { findCompiler } from "../../../provider/toolchain/compiler.ts";
import type { UnitReach } from "../../../source/reach/unit-reach.ts";
import { layOutView, viewDirectory } from "../../../source/tree.ts";
import { reachOf } from "./preprocess.ts";

const HEADER = "struct page { int flags; };\nint used(struct page *p);\nint unused(struct page *p);\n";
const [COMPILER = ""] = execFileSync("gcc", ["--version"], { encoding: "utf8" }).split("\n");

interface Tree {
  /** How a change of the header reaches the unit. */
  readonly reach: (header: string | undefined) => Promise<UnitReach>;
}

async function inTree(args: readonly string[], work: (tree: Tree) => Promise<void>): Promise<void> {
  await using directory = await temporaryDirectory();
  const tree = join(directory.path, "tree");
  mkdirSync(tree);
  writeFileSync(join(tree, "a.h"), HEADER);
  writeFileSync(join(tree, "a.c"), '#include "a.h"\nint f(struct page *p) { return used(p); }\n');
  const unit: Unit = { source: "a.c", object: "a.o", lands: { kind: "vmlinux" }, args, objtool: undefined };
  const cache = new Cache(join(directory.path, "cache"));
  const compiler = await findCompiler({ compilerText: COMPILER }, cache);
  const kernel = { source: tree, identity: "made up", sourceMayChange: false } as Kernel;
  const reach = async (header: string | undefined): Promise<UnitReach> => {
    await using views = await viewDirectory();
    const view = layOutView(tree, views.path, [{ path: "a.h", text: header }]);
    return await reachOf(unit, view, { kernel, compiler, cache, into: directory.path });
  };
  await work({ reach });
}

test("a header reaches a unit by what the unit uses, the first time and each time after it", async () => {
  await inTree(["-O2"], async ({ reach }) => {
    for (const _ of ["cold", "warm"]) {
      expect(await reach(`/* A comment. */${HEADER}`)).toEqual({ kind: "same", reads: ["a.h"] });
      expect(await reach(HEADER.replace("int unused", "long unused"))).toEqual({ kind: "inert", reads: ["a.h"] });
      expect(await reach(HEADER.replace("int used", "long used"))).toEqual({ kind: "reached", reads: ["a.h"] });
      expect(await reach(HEADER.replace("int flags", "long flags"))).toMatchObject({ kind: "reached" });
    }
  });
});

test("without optimization, and with what keeps unused functions, every other token does", async () => {
  for (const args of [[], ["-O2", "-O0"], ["-O2", "-fkeep-inline-functions"]]) {
    await inTree(args, async ({ reach }) => {
      expect(await reach(HEADER.replace("int unused", "long unused"))).toMatchObject({ kind: "reached" });
    });
  }
});

test("a unit that cannot be preprocessed any more is reached", async () => {
  await inTree(["-O2"], async ({ reach }) => {
    expect(await reach(undefined)).toMatchObject({ kind: "reached" });
    expect(await reach("#error no\n")).toMatchObject({ kind: "reached" });
  });
});
