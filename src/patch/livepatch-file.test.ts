import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { run } from "../lib/run.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../lib/temp.ts";
import { madeForAnother, readLivepatchFile } from "./livepatch-file.ts";

const MODINFO = ["livepatch=Y", "name=fix_it", "vermagic=6.1.0-1-amd64 SMP preempt mod_unload modversions "];

async function assembled(directory: TemporaryDirectory, modinfo: readonly string[], more = ""): Promise<string> {
  const path = join(directory.path, "some-fix.ko");
  const pairs = modinfo.map((pair) => `.asciz "${pair}"\n`).join("");
  await run("as", ["-o", path, "-"], { input: `.section .modinfo,"a"\n${pairs}${more}`, check: true });
  return path;
}

test("the modules that a livepatch patches are told by its livepatch sections and symbols", async () => {
  await using directory = await temporaryDirectory();
  const more = `
    .section .klp.rela.vmlinux..text.f,"a"
    .section .klp.rela.nf-tables..text.g,"a"
    .globl ".klp.sym.kvm_intel.vmx_exit,0"
    .set ".klp.sym.kvm_intel.vmx_exit,0", 0
  `;
  const livepatch = await readLivepatchFile(await assembled(directory, MODINFO, more));
  expect(livepatch).toMatchObject({ name: "fix_it", targets: ["nf_tables", "kvm_intel"], metadata: undefined });
});

test("without a name in it, a livepatch is called by its file", async () => {
  await using directory = await temporaryDirectory();
  const path = await assembled(directory, ["livepatch=Y", "vermagic=6.1"]);
  expect((await readLivepatchFile(path)).name).toBe("some_fix");
});

test("a livepatch for another release is refused, one for this release is not", async () => {
  await using directory = await temporaryDirectory();
  const livepatch = await readLivepatchFile(await assembled(directory, MODINFO));
  expect(madeForAnother(livepatch, "6.1.0-1-amd64")).toBeUndefined();
  expect(madeForAnother(livepatch, "6.1.0-2-amd64")).toMatchObject({ code: "WRONG_KERNEL" });
});

test("a module that is no livepatch, a file that is no module, and no file are told apart", async () => {
  await using directory = await temporaryDirectory();
  const module = await assembled(directory, ["vermagic=6.1"]);
  await expect(readLivepatchFile(module)).rejects.toMatchObject({ code: "NOT_A_LIVEPATCH" });
  const text = join(directory.path, "text");
  await writeFile(text, "x".repeat(100));
  await expect(readLivepatchFile(text)).rejects.toMatchObject({ code: expect.stringMatching(/^ELF_/) });
  await expect(readLivepatchFile("/no/such/file")).rejects.toMatchObject({ code: "LIVEPATCH_UNREADABLE" });
});
