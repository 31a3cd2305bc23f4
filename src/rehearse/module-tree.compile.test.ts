import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { run } from "../lib/run.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../lib/temp.ts";
import { ModuleTree } from "./module-tree.ts";

/** An object file with a .modinfo section, by the assembler. */
async function object(directory: string, pairs: readonly string[]): Promise<Buffer> {
  const path = join(directory, "object.o");
  const source = `.section .modinfo,"a"\n${pairs.map((pair) => `.asciz "${pair}"\n`).join("")}`;
  await run("as", ["-o", path, "-"], { input: source, check: true });
  return (await run("cat", [path], { check: true })).bytes;
}

interface MadeModule {
  readonly path: string;
  readonly pairs: readonly string[];
  readonly compress?: (data: Buffer) => Buffer | Promise<Buffer>;
}

async function tree(directory: TemporaryDirectory, modules: readonly MadeModule[], lists = true): Promise<ModuleTree> {
  const root = join(directory.path, "lib/modules/1");
  for (const { path, pairs, compress } of modules) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    const data = await object(directory.path, pairs);
    await writeFile(join(root, path), compress === undefined ? data : await compress(data));
  }
  const order = modules.map(({ path }) => `${path.replace(/\.(gz|xz)$/, "")}\n`);
  if (lists) await writeFile(join(root, "modules.order"), order.join(""));
  await writeFile(join(root, "modules.builtin"), "kernel/fs/ext4/ext4.ko\nkernel/lib/built-in.ko\n");
  return await ModuleTree.open(root);
}

const A: MadeModule = { path: "kernel/a-top.ko", pairs: ["name=a_top", "depends=b,c-d,ext4", "alias=fs-a"] };
const B: MadeModule = {
  path: "kernel/x/b.ko.gz",
  pairs: ["name=b", "depends=c-d", "softdep=pre: e no-such post: f"],
  compress: gzipSync,
};
const C: MadeModule = {
  path: "kernel/x/c-d.ko.xz",
  pairs: ["name=c_d", "depends="],
  compress: async (data) => (await run("xz", ["-c"], { input: data, check: true })).bytes,
};
const E: MadeModule = { path: "kernel/e.ko", pairs: ["depends="] };

test.each([true, false])("what a module needs comes before it, compressed or not (lists: %s)", async (lists) => {
  await using directory = await temporaryDirectory();
  const modules = await tree(directory, [A, B, C, E], lists);
  const order = await modules.loadOrder("a-top");
  expect(order.map(({ name }) => name)).toEqual(["e", "c_d", "b", "a_top"]);
  expect(order.map(({ path }) => path)).toEqual(["kernel/e.ko", "kernel/x/c-d.ko", "kernel/x/b.ko", "kernel/a-top.ko"]);
  for (const { data } of order) expect(data.toString("latin1", 1, 4)).toBe("ELF");
});

test("a module that is built in needs nothing", async () => {
  await using directory = await temporaryDirectory();
  const modules = await tree(directory, [A, B, C, E]);
  expect(modules.isBuiltIn("built_in")).toBe(true);
  expect(await modules.loadOrder("built-in")).toEqual([]);
});

test("modules that depend on each other do not hang it", async () => {
  await using directory = await temporaryDirectory();
  const modules = await tree(directory, [
    { path: "x.ko", pairs: ["depends=y"] },
    { path: "y.ko", pairs: ["depends=x"] },
  ]);
  expect((await modules.loadOrder("x")).map(({ name }) => name)).toEqual(["y", "x"]);
});

test("a module that is not there is named", async () => {
  await using directory = await temporaryDirectory();
  const modules = await tree(directory, [A]);
  await expect(modules.loadOrder("a_top")).rejects.toMatchObject({
    code: "MODULE_MISSING",
    message: expect.stringMatching(/module b$/),
  });
});

test("a directory that is not there is named", async () => {
  await expect(ModuleTree.open("/no/such/directory")).rejects.toMatchObject({ code: "MODULES_MISSING" });
});
