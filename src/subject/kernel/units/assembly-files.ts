/** The assembly of a kernel's source. */

import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Arch } from "../../../arch/arch.ts";
import type { Kernel } from "../../../provider/kernel/kernel.ts";
import type { Unit } from "../../../provider/kernel/unit.ts";
import { unitsIn, unitsOf } from "../../../provider/kernel/units-file.ts";

/** Where kernel code for all machines is. */
const PARTS = [
  "block",
  "crypto",
  "drivers",
  "fs",
  "init",
  "io_uring",
  "kernel",
  "lib",
  "mm",
  "net",
  "security",
  "virt",
];
/** Paths of the files that the preprocessor and then the assembler takes, in the tree. */
export function assemblyIn(tree: string, { kernel }: Arch): string[] {
  const { directory, otherAssembly } = kernel.sources;
  return [`arch/${directory}`, ...PARTS].flatMap((part) => [...below(tree, part, otherAssembly)]);
}

function* below(tree: string, directory: string, elsewhere: RegExp): Generator<string> {
  if (elsewhere.test(directory)) return;
  let entries: ReturnType<typeof entriesOf>;
  try {
    entries = entriesOf(join(tree, directory));
  } catch {
    return;
  }
  for (const entry of entries) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory()) yield* below(tree, path, elsewhere);
    else if (entry.name.endsWith(".S")) yield path;
  }
}

function entriesOf(directory: string) {
  return readdirSync(directory, { withFileTypes: true });
}

/**
 * As if they were units, to be asked for what the preprocessor makes of them.
 * kbuild preprocesses assembly like the C of its directory, but for what only C
 * compilers understand.
 */
export async function assemblyUnits(kernel: Kernel, sources: readonly string[]): Promise<Unit[]> {
  if (sources.length === 0) return [];
  const [usual] = await unitsOf(kernel, "kernel/sys.c");
  const { foreignAssembly } = kernel.arch.kernel.sources;
  return await Promise.all(
    sources
      .filter((source) => foreignAssembly?.test(source) !== true)
      .map(async (source): Promise<Unit> => {
        const near = (await unitsIn(kernel, dirname(source))).find(({ lands }) => lands.kind !== "elsewhere") ?? usual;
        const args = (near?.args ?? []).filter((arg, i, all) => !isForC(arg, all[i - 1]) && !isForC(all[i + 1], arg));
        return {
          source,
          object: source.replace(/S$/, "o"),
          lands: { kind: "vmlinux" },
          args: [...args, "-D__ASSEMBLY__"],
          objtool: undefined,
        };
      }),
  );
}

function isForC(arg: string | undefined, before: string | undefined): boolean {
  return before === "-include" && arg !== undefined && /(^|\/)compiler_types\.h$/.test(arg);
}
