import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { addSection, addSymbol, newRelocatable } from "../elf/draft.ts";
import { writeElf } from "../elf/write.ts";
import { temporaryDirectory } from "../lib/temp.ts";
import { DIGEST_SECTION, DIGEST_SIZE, sealed } from "./digest.ts";
import { livepatchFileOf, madeForAnother, readLivepatchFile } from "./livepatch-file.ts";
import { METADATA_SECTION } from "./metadata.ts";

const MODINFO = ["livepatch=Y", "name=fix_it", "vermagic=6.1.0-1-amd64 SMP preempt mod_unload modversions "];

interface Contents {
  readonly modinfo?: readonly string[];
  readonly sections?: readonly string[];
  readonly symbols?: readonly string[];
  readonly metadata?: string;
}

/** A module's bytes. */
function moduleOf({ modinfo = MODINFO, sections = [], symbols = [], metadata }: Contents): Buffer {
  const draft = newRelocatable(62, "little");
  addSection(draft, { name: ".modinfo", data: Buffer.from(modinfo.map((pair) => `${pair}\0`).join("")) });
  for (const name of sections) addSection(draft, { name });
  for (const name of symbols) addSymbol(draft, { name, place: { kind: "absolute" } });
  if (metadata === undefined) return writeElf(draft);
  addSection(draft, { name: METADATA_SECTION, data: Buffer.from(metadata) });
  addSection(draft, { name: DIGEST_SECTION, data: Buffer.alloc(DIGEST_SIZE) });
  return sealed(writeElf(draft));
}

const PATH = "/somewhere/some-fix.ko";

test("the modules that a livepatch patches are told by its livepatch sections and symbols", () => {
  const sections = [".klp.rela.vmlinux..text.f", ".klp.rela.nf-tables..text.g"];
  const livepatch = livepatchFileOf(moduleOf({ sections, symbols: [".klp.sym.kvm_intel.vmx_exit,0"] }), PATH);
  expect(livepatch).toMatchObject({ name: "fix_it", targets: ["nf_tables", "kvm_intel"], metadata: undefined });
});

test("without a name in it, a livepatch is called by its file", () => {
  expect(livepatchFileOf(moduleOf({ modinfo: ["livepatch=Y", "vermagic=6.1"] }), PATH).name).toBe("some_fix");
});

test("a livepatch for another release is refused, one for this release is not", () => {
  const livepatch = livepatchFileOf(moduleOf({}), PATH);
  expect(madeForAnother(livepatch, "6.1.0-1-amd64")).toBeUndefined();
  expect(madeForAnother(livepatch, "6.1.0-2-amd64")).toMatchObject({ code: "WRONG_KERNEL" });
});

test("one that says of itself what cannot be understood is not taken for another tool's", () => {
  const read = (metadata: string) => () => livepatchFileOf(moduleOf({ metadata }), PATH);
  expect(read('{ "version": 2 }')).toThrow(expect.objectContaining({ code: "NEWER_FORMAT", exit: 2 }));
  expect(read('{ "version": 1 }')).toThrow(expect.objectContaining({ code: "METADATA_UNREADABLE" }));
});

test("a module that is no livepatch, a file that is no module, and no file are told apart", async () => {
  await using directory = await temporaryDirectory();
  const module = join(directory.path, "module.ko");
  await writeFile(module, moduleOf({ modinfo: ["vermagic=6.1"] }));
  await expect(readLivepatchFile(module)).rejects.toMatchObject({ code: "NOT_A_LIVEPATCH" });
  const text = join(directory.path, "text");
  await writeFile(text, "x".repeat(100));
  await expect(readLivepatchFile(text)).rejects.toMatchObject({ code: expect.stringMatching(/^ELF_/) });
  await expect(readLivepatchFile("/no/such/file")).rejects.toMatchObject({ code: "LIVEPATCH_UNREADABLE" });
});
