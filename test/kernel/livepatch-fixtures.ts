/** Small livepatches made by the kernel's own build system, independent of what they test. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../src/lib/run.ts";
import type { StockKernel } from "./stock-kernel.ts";

export interface FixtureFunc {
  /** `vmlinux` by default. */
  readonly object?: string;
  readonly name: string;
  /** The new function's type and parameters, its name being `replacement`; by default those of a /proc file's show. */
  readonly prototype?: string;
  readonly body: string;
  /** What the module's init does before it enables the livepatch. */
  readonly init?: string;
  /** Of the module. */
  readonly version?: number;
}

/** Makes one livepatch for each entry, in one go; returns their paths by name. */
export async function makeLivepatches<Name extends string>(
  kernel: StockKernel,
  directory: string,
  funcs: Readonly<Record<Name, FixtureFunc>>,
): Promise<Record<Name, string>> {
  await mkdir(directory, { recursive: true });
  const names = Object.keys(funcs) as Name[];
  for (const name of names) await writeFile(join(directory, `${name}.c`), sourceOf(funcs[name]));
  await writeFile(join(directory, "Makefile"), `obj-m := ${names.map((name) => `${name}.o`).join(" ")}\n`);
  await run(
    "make",
    ["-s", "-j2", "-C", kernel.headers, `M=${directory}`, "CONFIG_DEBUG_INFO_BTF_MODULES=", "modules"],
    { check: true },
  );
  return Object.fromEntries(names.map((name) => [name, join(directory, `${name}.ko`)])) as Record<Name, string>;
}

function sourceOf(func: FixtureFunc): string {
  const object = func.object === undefined ? "" : `.name = "${func.object}",`;
  return `
#include <linux/module.h>
#include <linux/livepatch.h>
#include <linux/seq_file.h>
${func.prototype ?? "static int replacement(struct seq_file *m, void *v)"}
{
  ${func.body}
}
static struct klp_func funcs[] = { { .old_name = "${func.name}", .new_func = replacement }, {} };
static struct klp_object objects[] = { { ${object} .funcs = funcs }, {} };
static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objects };
static int __init start(void)
{
  ${func.init ?? ""}
  return klp_enable_patch(&patch);
}
static void __exit stop(void) {}
module_init(start);
module_exit(stop);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
${func.version === undefined ? "" : `MODULE_VERSION("${func.version}");`}
`;
}
