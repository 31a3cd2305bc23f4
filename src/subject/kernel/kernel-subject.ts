/** A kernel as what a livepatch is built for. */
import { readFile } from "node:fs/promises";
import type { Run, Subject } from "../../builder/subject.ts";
import { readElf } from "../../elf/read.ts";
import type { PatchMetadata } from "../../patch/metadata.ts";
import type { Kernel } from "../../provider/kernel/kernel.ts";
import type { Unit } from "../../provider/kernel/unit.ts";
import { unitsOf } from "../../provider/kernel/units-file.ts";
import type { Compiler } from "../../provider/toolchain/compiler.ts";
import { readDiffs } from "../../source/diffs/diff-input.ts";
import { type CompileOptions, compileInView } from "./compile.ts";
import type { KernelUnitDiff } from "./examine-pair.ts";
import { compileOriginal } from "./originals.ts";
import { withTypes } from "./types-of-dwarf.ts";
import { affectedUnits } from "./units/affected-units.ts";
import { rulesOf } from "./units/file-rules.ts";

/** The steps' questions, answered for a kernel; nothing is read or compiled before they are asked. */
export function kernelSubject(
  kernel: Kernel,
  compiler: Compiler,
  run: Run,
): Subject<Unit, KernelUnitDiff, PatchMetadata> {
  const compile: CompileOptions = { kernel, compiler, variant: "sections", types: true };
  return {
    kind: "kernel",
    suffix: ".ko",
    tree: kernel.source,
    asItWas: { what: "shipped", hint: "check that source, headers and compiler belong to this kernel" },
    // The kernel's own core asks nobody before it takes one in beside others.
    keepsRelied: false,
    readDiffs: (diffs, strip) =>
      readDiffs(diffs, {
        tree: kernel.source,
        isUnit: async (path) => (await unitsOf(kernel, path)).length > 0,
        leftOut: kernel.leftOut,
        strip,
        rules: rulesOf(kernel),
      }),
    affectedUnits: ({ files, makefiles }, refusalsOf) =>
      affectedUnits(kernel, files, { ...run, compiler, makefiles, refusalsOf }),
    compilerOf: async () => compiler,
    compileOriginal: (unit, signal) => compileOriginal(unit, run.cache, { ...compile, signal }),
    compileInView: (unit, { view, into, more = [] }, signal) =>
      compileInView({ ...unit, args: [...unit.args, ...more] }, view, into, { ...compile, signal }),
    readObject: async (path, { source }) => withTypes(readElf(await readFile(path), source)),
    async openShipped() {
      const { openShippedKernel } = await import("./shipped-kernel.ts");
      return await openShippedKernel({ ...compile, signal: run.signal }, run);
    },
  };
}
