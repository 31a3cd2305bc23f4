/**
 * The proof that a ready kernel is one: source, configuration, compiler and
 * image belong together. A central unit is compiled, its types are compared with
 * the image's own, and its code is looked for in it.
 */
import { readFile } from "node:fs/promises";
import { RunningTypes } from "../../btf/running-types.ts";
import { typesOf } from "../../builder/type-changes.ts";
import { readUnit } from "../../diff/read-unit.ts";
import { readElf } from "../../elf/read.ts";
import type { Cache } from "../../lib/cache.ts";
import { SutureError } from "../../lib/error.ts";
import type { Kernel } from "../../provider/kernel/kernel.ts";
import { unitsOf } from "../../provider/kernel/units-file.ts";
import type { Compiler } from "../../provider/toolchain/compiler.ts";
import type { CompileOptions } from "./compile.ts";
import { proveUnit } from "./match/prove.ts";
import { ShippedObjects } from "./match/shipped-objects.ts";
import { compileOriginal } from "./originals.ts";
import { withTypes } from "./types-of-dwarf.ts";

/** It uses most of the structs that the kernel's parts share: tasks, memory, files, namespaces, cgroups, scheduling, timers. */
const CENTRAL = "kernel/fork.c";
/** Of its functions: single ones differ by a jump that the assembler shortens. */
const MOST_DIFFERING = 0.1;
const MOST_NAMED = 4;

/**
 * Throws `SOURCE_OF_ANOTHER_KERNEL`, and what compiling throws. A kernel whose
 * tree has no such unit is left to the checks of each build.
 */
export async function proveKernel(
  kernel: Kernel,
  compiler: Compiler,
  cache: Cache,
  signal: AbortSignal | undefined,
): Promise<void> {
  const [unit] = await unitsOf(kernel, CENTRAL);
  if (unit === undefined || unit.lands.kind !== "vmlinux") return;
  const compile: CompileOptions = { kernel, compiler, variant: "sections", types: true, signal };
  const compiled = await compileOriginal(unit, cache, compile);
  if (compiled.kind === "does-not-compile") throw notOfThis(kernel, firstLine(compiled.output));
  const file = withTypes(readElf(await readFile(compiled.object), CENTRAL));
  using shipped = await ShippedObjects.open(kernel, signal);
  const running = shipped.vmlinux.types();
  const types = typesOf(file);
  if (running !== undefined && types !== undefined) {
    const differing = new RunningTypes(running).differing(types);
    const [first, ...more] = differing.map(({ title, detail }) => `${title}: ${detail}`);
    const rest = more.length === 0 ? "" : `; and ${more.length} other types`;
    if (first !== undefined) throw notOfThis(kernel, `${first}${rest}`);
  }
  const sizes = shipped.layouts.entrySizes;
  const plain = async () => {
    const again = await compileOriginal(unit, cache, { ...compile, variant: "plain", types: false });
    if (again.kind === "does-not-compile") throw notOfThis(kernel, firstLine(again.output));
    return readUnit(readElf(await readFile(again.object), CENTRAL), sizes);
  };
  const { record } = await proveUnit(CENTRAL, readUnit(file, sizes), shipped.vmlinux, plain);
  const { proved, differing } = record;
  if (differing.length <= (proved + differing.length) * MOST_DIFFERING) return;
  const names = differing.slice(0, MOST_NAMED).map(({ name }) => name);
  throw notOfThis(
    kernel,
    `of ${proved + differing.length} functions ${differing.length} are not the image's: ${names.join(", ")} …`,
  );
}

function notOfThis({ release }: Kernel, what: string): SutureError {
  return new SutureError("SOURCE_OF_ANOTHER_KERNEL", `the source is not the one that ${release} was built from`, {
    where: `${CENTRAL}: ${what}`,
    hint: /(^|-)rt-/.test(release)
      ? "-rt kernels are built from a tree with the RT patches: give that tree, and the kernel's headers, image and modules, as a custom kernel"
      : "give the source, headers, image and modules of one and the same build",
  });
}

function firstLine(output: string): string {
  return output.trim().split("\n", 1)[0] ?? "";
}
