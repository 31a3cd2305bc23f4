/** Whether a configuration can be one of a source tree: every option that it sets is declared there. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { SutureError } from "../../lib/error.ts";

const MOST_NAMED = 4;
/** Of the kernel's Kconfig language: `config NAME` and `menuconfig NAME`. */
const DECLARATION = /^[ \t]*(?:menu)?config[ \t]+(\w+)/gm;

/**
 * An option that no Kconfig file declares comes from a patch that the tree does
 * not have. Throws `SOURCE_OF_ANOTHER_KERNEL`.
 * @param config by name, without CONFIG_
 */
export async function checkConfigOf(
  tree: string,
  config: ReadonlyMap<string, string>,
  release: string,
  where: string,
): Promise<void> {
  const unknown = new Set(config.keys());
  for (const file of await kconfigFiles(tree)) {
    const text = await readFile(file, "latin1");
    for (const [, name = ""] of text.matchAll(DECLARATION)) unknown.delete(name);
    if (unknown.size === 0) return;
  }
  const named = [...unknown].slice(0, MOST_NAMED).map((name) => `CONFIG_${name}`);
  const rest = unknown.size > MOST_NAMED ? ` and ${unknown.size - MOST_NAMED} more` : "";
  throw new SutureError("SOURCE_OF_ANOTHER_KERNEL", `the source is not the one that ${release} was built from`, {
    where: `${where}: the configuration sets ${named.join(", ")}${rest}, which the source does not know`,
    hint: "it was built with patches that this source lacks: give the patched tree, and the kernel's headers, image and modules, as a custom kernel",
  });
}

async function kconfigFiles(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const inner = await Promise.all(
    entries.filter((entry) => entry.isDirectory()).map(({ name }) => kconfigFiles(join(directory, name))),
  );
  const here = entries.filter((entry) => !entry.isDirectory() && entry.name.startsWith("Kconfig"));
  return [...here.map(({ name }) => join(directory, name)), ...inner.flat()];
}
