/** Ready kernels, and what goes with them. */
import { mkdirSync } from "node:fs";
import { beforeEach, expect, test } from "vitest";
import { Cache } from "../../lib/cache.ts";
import { temporaryDirectory } from "../../lib/temp.ts";
import { kernelEntry, listKernels } from "../kernel/kernel-store.ts";
import { writeRecord } from "../kernel/ready-kernel.ts";
import { removeKernel } from "./kernels.ts";

let cache: Cache;

beforeEach(async () => {
  const directory = await temporaryDirectory();
  cache = new Cache(directory.path);
  return () => directory[Symbol.asyncDispose]();
});

async function make(name: string, release: string, base?: string): Promise<void> {
  const kind = base === undefined ? "kernels" : "modules";
  const { path } = kernelEntry(cache, name, kind);
  mkdirSync(path, { recursive: true });
  const symbols = base === undefined ? "symbols.table" : `${kernelEntry(cache, base).path}/symbols.table`;
  const paths = {
    ...{ source: "source", objtool: "objtool", vmlinux: "vmlinux", modules: "modules" },
    ...{ symbols, layouts: "layouts.json", units: "units" },
  };
  const record = { release, version: "", buildId: "", compilerText: "cc", compilerPath: "cc" };
  await writeRecord(path, { ...record, sourceMayChange: true, leftOut: [], paths }, [name]);
}

const left = async () =>
  (await Promise.all([listKernels(cache), listKernels(cache, "modules")]))
    .flat()
    .map(({ directory }) => directory.slice(cache.directory.length + 1));

test("one's own kernels go by their release, with what is made of them for modules", async () => {
  await make("custom-0123456789abcdef", "6.1.0");
  await make("custom-fedcba9876543210", "6.1.0");
  await make("custom-0000000000000000", "6.1.1");
  await make("module-0123456789abcdef", "6.1.0", "custom-0123456789abcdef");
  await make("module-fedcba9876543210", "6.1.1", "custom-0000000000000000");
  expect(await removeKernel(cache, "6.1.0")).toBe(true);
  expect(await left()).toEqual(["kernels/custom-0000000000000000", "modules/module-fedcba9876543210"]);
  expect(await removeKernel(cache, "6.1.0")).toBe(false);
});

test("what is left of one goes by its name, and one kernel alone", async () => {
  mkdirSync(kernelEntry(cache, "6.1.0-1-amd64").path, { recursive: true });
  await make("6.1.0-10-amd64", "6.1.0-10-amd64");
  await make("module-0123456789abcdef", "6.1.0-10-amd64", "6.1.0-10-amd64");
  expect(await removeKernel(cache, "6.1.0-1-amd64")).toBe(true);
  expect(await left()).toEqual(["kernels/6.1.0-10-amd64", "modules/module-0123456789abcdef"]);
  expect(await removeKernel(cache, "6.1.0-10-amd64")).toBe(true);
  expect(await left()).toEqual([]);
});
