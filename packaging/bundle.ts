import { join, relative, resolve } from "node:path";
import { rolldown } from "rolldown";

const NODE_PACKAGES = join(import.meta.dirname, "../node_modules");
/**
 * The parts that nearly every command on a running target loads: one file of them
 * is read sooner than the fifty that would come of what each command shares with others.
 */
const ON_TARGETS = /^(?:lib|elf|patch|core|arch|dwarf|process|targets|host\/trust)\//;
/** It has compiled code beside it. */
export const NOT_BUNDLED = "koffi";

/**
 * The command as an installed package runs it: what was compiled, and what it
 * imports, in as few files as each command needs, since to load a file for
 * each module takes longer than what they do.
 *
 * Throws what rolldown throws, which names the file.
 * @param compiled the directory that tsc has written
 * @param output beside its parts: what has come along is found from there as from a part (src/lib/brought.ts)
 */
export async function bundle(compiled: string, output: string): Promise<void> {
  await using made = await rolldown({
    input: { main: resolve(compiled, "cli/main.js") },
    platform: "node",
    external: [NOT_BUNDLED],
    resolve: { modules: [NODE_PACKAGES] },
    // A module that one command imports late and another early is no fault.
    checks: { ineffectiveDynamicImport: false },
  });
  await made.write({
    dir: resolve(output),
    entryFileNames: "[name].js",
    chunkFileNames: "[name]-[hash].js",
    codeSplitting: {
      groups: [{ name: "target", test: (module) => ON_TARGETS.test(relative(resolve(compiled), module)) }],
    },
  });
}
