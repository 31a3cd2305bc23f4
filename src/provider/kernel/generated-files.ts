/** The C files and headers that a build would make on its way, made alone. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Kbuild, makeDirectory } from "./kbuild.ts";

/** Programs that write them, by a file's ending; kbuild has no rule from the one to the other outside a full build. */
const MAKERS: readonly { readonly ending: RegExp; readonly program: string }[] = [
  { ending: /\.asn1\.[ch]$/, program: "scripts/asn1_compiler" },
  { ending: /^security\/selinux\/flask\.h$/, program: "scripts/selinux/genheaders/genheaders" },
  { ending: /^security\/ipe\/boot_policy\.c$/, program: "scripts/ipe/polgen/polgen" },
];

/**
 * Makes those that are not there, in the tree; returns those that could not be
 * made. A unit that needs one of them will not compile, and says so.
 */
export async function makeGeneratedFiles(
  kbuild: Kbuild,
  targets: readonly string[],
  jobs: number,
  signal?: AbortSignal,
): Promise<string[]> {
  const isMissing = (path: string): boolean => !existsSync(join(kbuild.tree, path));
  const wanted = targets.filter(isMissing);
  const programs = MAKERS.filter(({ ending }) => wanted.some((target) => ending.test(target)));
  await makeByDirectory(kbuild, programs.map(({ program }) => program).filter(isMissing), jobs, signal);
  await makeByDirectory(kbuild, wanted, jobs, signal);
  return wanted.filter(isMissing);
}

async function makeByDirectory(
  kbuild: Kbuild,
  targets: readonly string[],
  jobs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const directory of new Set(targets.map((target) => dirname(target)))) {
    const here = targets.filter((target) => dirname(target) === directory);
    // A dry run's -k: what can be made is made.
    await makeDirectory(kbuild, directory, ["-k", "-s", `-j${jobs}`, "Q=@", "quiet=silent_", ...here], signal);
  }
}
