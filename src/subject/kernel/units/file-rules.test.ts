import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createTwoFilesPatch } from "diff";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sources } from "../../../arch/x86_64/kernel-sources.ts";
import { type DiffInput, readDiffs } from "../../../source/diffs/diff-input.ts";
import { kernelRules } from "./file-rules.ts";

let tree = "";

beforeAll(() => {
  tree = mkdtempSync(join(tmpdir(), "suture-test-"));
  const files: Record<string, string> = {
    "kernel/Makefile": "obj-y += a.o\n",
    "kernel/Kconfig": "config A\n",
    "arch/x86/entry/entry_64.S": "nop\n",
    "arch/x86/entry/vdso/vgetcpu.c": "int v;\n",
    "arch/x86/entry/vdso/vma.c": "int v;\n",
    "arch/x86/boot/main.c": "int b;\n",
    "arch/arm64/kernel/a.c": "int b;\n",
    "tools/lib/bpf/relo_core.c": "int b;\n",
    "tools/perf/perf.c": "int b;\n",
    "kernel/bounds.c": "int b;\n",
    "lib/a.asn1": "x\n",
    "sound/core.c": "int s;\n",
  };
  for (const [path, text] of Object.entries(files)) write(path, text);
});
afterAll(() => rmSync(tree, { recursive: true }));

function write(path: string, text: string): void {
  mkdirSync(dirname(join(tree, path)), { recursive: true });
  writeFileSync(join(tree, path), text);
}

async function read(path: string, before: string, after: string): Promise<DiffInput> {
  const text = createTwoFilesPatch(`a/${path}`, `b/${path}`, before, after);
  return await readDiffs([{ name: "a.patch", data: Buffer.from(text) }], {
    tree,
    isUnit: async (each) => each === "tools/lib/bpf/relo_core.c",
    leftOut: ["sound"],
    rules: kernelRules(sources),
  });
}

describe("what is not C code of this kernel is told apart", () => {
  test.each([
    ["ASSEMBLY_CHANGED", "arch/x86/entry/entry_64.S", "nop\n"],
    ["KCONFIG_CHANGED", "kernel/Kconfig", "config A\n"],
    ["MAKEFILE_CHANGED", "kernel/Makefile", "obj-y += a.o\n"],
    ["VDSO_CHANGED", "arch/x86/entry/vdso/vgetcpu.c", "int v;\n"],
    ["BOOT_CODE_CHANGED", "arch/x86/boot/main.c", "int b;\n"],
    ["GENERATED_OFFSETS_CHANGED", "kernel/bounds.c", "int b;\n"],
    ["GENERATED_SOURCE_CHANGED", "lib/a.asn1", "x\n"],
  ])("%s: %s is refused", async (code, path, text) => {
    const { files, refusals } = await read(path, text, "changed\n");
    expect([files, refusals.map((each) => [each.code, each.where])]).toEqual([[], [[code, path]]]);
  });

  const FEATURES = "arch/x86/include/asm/cpufeatures.h";
  test.each([
    [
      "GENERATED_SOURCE_CHANGED",
      FEATURES,
      '#define X86_FEATURE_NEW (9*32+ 4) /* "" not shown */',
      "#define X86_FEATURE_NEW (9*32+ 4) /* shown */",
    ],
    ["GENERATED_SOURCE_CHANGED", "include/linux/socket.h", "#define AF_A 1", "#define AF_A 1\n#define AF_B 2"],
    [undefined, FEATURES, "int a;", '#define X86_FEATURE_NEW (9*32+ 4) /* "" not shown */\n'],
    [undefined, "include/linux/socket.h", "int a;", "int b;"],
  ])("%s: %s, of which source is made beside", async (code, path, before, after) => {
    const shown = '#define X86_FEATURE_OLD (9*32+ 3) /* "" not shown */';
    const [was, is] = [before, after].map((text) => `${shown}\n${text}\n`) as [string, string];
    write(path, was);
    const { files, refusals } = await read(path, was, is);
    expect([files.map((file) => file.path), refusals.map((each) => each.code)]).toEqual([[path], code ? [code] : []]);
  });

  test.each(["scripts/selinux/genheaders/genheaders.c", "arch/x86/lib/x86-opcode-map.txt"])(
    "%s is no program of somebody else's: source is made by it",
    async (path) => {
      write(path, "x\n");
      const { refusals } = await read(path, "x\n", "y\n");
      expect(refusals.map((each) => each.code)).toEqual(["GENERATED_SOURCE_CHANGED"]);
    },
  );

  test.each([
    ["FILE_IGNORED", "Documentation/x.rst"],
    ["FILE_IGNORED", "tools/perf/perf.c"],
    ["OTHER_ARCHITECTURE", "arch/arm64/kernel/a.c"],
    ["NOT_BUILT", "sound/core.c"],
  ])("%s: %s is left out with a note, whether it is there or not", async (code, path) => {
    const { files, refusals, notes } = await read(path, "no such text\n", "b\n");
    expect([files, refusals, notes.map((note) => note.code)]).toEqual([[], [], [code]]);
  });

  test.each(["arch/x86/entry/vdso/vma.c", "tools/lib/bpf/relo_core.c"])(
    "%s is kernel code all the same",
    async (path) => {
      const text = path.includes("vma") ? "int v;\n" : "int b;\n";
      expect((await read(path, text, "int c;\n")).files.map((file) => file.path)).toEqual([path]);
    },
  );
});
