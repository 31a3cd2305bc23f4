/** kbuild's programs of a newer suite, on a machine with older libraries. */
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { archOfHost } from "../../arch/registry.ts";
import type { Making } from "../kernel/kernel-source.ts";
import { carryLibraries, doesNotStart, startsHere, writeCarriedScript } from "../toolchain/carried-libraries.ts";
import type { ChosenPackage } from "./debian-packages.ts";
import { unpackAll, withLibraries } from "./library-packages.ts";
import { askSuites, sameRelease } from "./suites.ts";

/**
 * Has programs that this machine's libraries cannot run be run with those of
 * the suite that they come from, kept in a kernel's directory. Throws
 * `TOOL_DOES_NOT_START` where no suite has them.
 */
export async function makeProgramsStart(
  programs: readonly string[],
  from: ChosenPackage,
  directory: string,
  making: Making,
): Promise<void> {
  const { progress, signal } = making;
  const started = await Promise.all(programs.map((program) => startsHere(program, signal)));
  const not = programs.filter((_, i) => started[i] === false);
  const [first] = not;
  if (first === undefined) return;
  progress.step(`downloading the libraries of ${from.name}`);
  const unpacked = join(directory, "unpacked-libraries");
  const isUnpacked = await askSuites(making, async (suites) => {
    for (const suite of suites) {
      const stanza = (await suite.archive.show(from.name)).find((each) => each["Version"] === from.version);
      if (stanza === undefined) continue;
      const archive = sameRelease(suites, suite);
      const [, ...libraries] = await withLibraries(archive, [stanza]);
      await unpackAll(archive, libraries, unpacked, making);
      return true;
    }
    return undefined;
  });
  if (isUnpacked !== true)
    throw doesNotStart(first, `no suite has the libraries that ${from.name} ${from.version} needs: not found`);
  const { multiarch } = archOfHost().toolchain;
  const roots = [`usr/lib/${multiarch}`, `lib/${multiarch}`].map((path) => join(unpacked, "root", path));
  const carried = await carryLibraries(not, roots, join(directory, "libraries"), signal);
  for (const script of not) {
    const program = `${script}.elf`;
    await rename(script, program);
    await writeCarriedScript(carried, { script, program });
  }
  await rm(unpacked, { recursive: true });
}
