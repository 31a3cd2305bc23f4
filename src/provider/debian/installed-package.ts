/** What dpkg knows: of which source an installed package is, and which programs and libraries it brought. */

import { lstatSync } from "node:fs";
import { basename } from "node:path";
import { ET } from "../../elf/constants.ts";
import { identityOf } from "../../elf/identity.ts";
import { run } from "../../lib/run.ts";
import { elfHead, isForHost } from "../program/machine.ts";

/** A binary package as it is installed, and the source that it was built from. */
export interface InstalledPackage {
  readonly name: string;
  readonly source: string;
  /** Of the source, without what a rebuild of the binary adds. */
  readonly sourceVersion: string;
}

const FORMAT = ["Package", "source:Package", "source:Version", "db:Status-Abbrev", "Architecture"]
  .map((field) => `\${${field}}`)
  .join("\\t");

/** Those that are the named one, or are made from the source of this name. */
export async function installedPackages(name: string, signal: AbortSignal | undefined): Promise<InstalledPackage[]> {
  const { stdout } = await run("dpkg-query", ["--show", "--showformat", `${FORMAT}\\n`], { check: true, signal });
  const all = stdout.split("\n").flatMap((line): InstalledPackage[] => {
    const [binary = "", source = "", sourceVersion = "", status = "", architecture = ""] = line.split("\t");
    if (!status.startsWith("ii") || (architecture !== "amd64" && architecture !== "all")) return [];
    return [{ name: binary, source, sourceVersion }];
  });
  const own = all.filter((each) => each.name === name);
  const source = own[0]?.source ?? name;
  return all.filter((each) => each.source === source);
}

/** Sources of the installed packages that files are of, each once. */
export async function installedSources(paths: readonly string[], signal: AbortSignal | undefined): Promise<string[]> {
  if (paths.length === 0) return [];
  // A library below /lib may be known to dpkg as below /usr/lib, and the other way round.
  const both = paths.flatMap((path) => [path, path.startsWith("/usr/") ? path.slice(4) : `/usr${path}`]);
  const { stdout } = await run("dpkg-query", ["--search", ...new Set(both)], { signal });
  const names = stdout
    .split("\n")
    .flatMap((line) => (/^diversion /.test(line) ? [] : (line.split(": ")[0] ?? "").split(", ")));
  const packages = [...new Set(names.map((name) => name.replace(/:.*$/, "")).filter((name) => name !== ""))];
  if (packages.length === 0) return [];
  const shown = await run("dpkg-query", ["--show", "--showformat", "${source:Package}\\n", ...packages], { signal });
  return [...new Set(shown.stdout.split("\n").filter((name) => name !== ""))].sort();
}

/**
 * Paths of its executables and libraries. Of several names for one file the
 * first is the one that users know: the package's, else the file's own.
 */
export async function programsOf(name: string, signal: AbortSignal | undefined): Promise<string[]> {
  const listed = await run("dpkg-query", ["--listfiles", name], { signal });
  const paths = listed.stdout.split("\n").filter((path) => path.startsWith("/") && isProgram(path));
  const rank = (path: string) => (basename(path) === name ? 0 : lstatSync(path).isSymbolicLink() ? 2 : 1);
  return paths.toSorted((a, b) => rank(a) - rank(b));
}

/** Whether the file is an executable or a library for this machine; false for what cannot be read. */
export function isProgram(path: string): boolean {
  const head = elfHead(path);
  if (head === undefined || !isForHost(head)) return false;
  const type = identityOf(head)?.type;
  return type === ET.EXEC || type === ET.DYN;
}
