/** What ships of a source in the archive, unpacked and not installed. */
import { lstatSync, readdirSync, realpathSync } from "node:fs";
import { rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { inside } from "../program/moved-command.ts";
import type { OpenOptions } from "../program/open-options.ts";
import type { ShippedFile } from "../program/source-package.ts";
import { freshArchive, type PackageStanza } from "./debian-archive.ts";
import { isProgram } from "./installed-package.ts";
import { unpackPackage } from "./unpack-packages.ts";

/** Unpacks the binary packages of a source that programs or libraries are in, below `shipped`. */
export async function unpackShipped(
  stanza: PackageStanza,
  shipped: string,
  { cache, progress, signal }: OpenOptions,
): Promise<void> {
  const archive = await freshArchive(cache, signal);
  const names = (stanza["Binary"] ?? "")
    .split(/[\s,]+/)
    .filter((name) => name !== "" && !/-(doc|dev|dbg|dbgsym)$/.test(name));
  const wanted = stanza["Version"] ?? "";
  for (const name of names) {
    const found = (await archive.show(name)).find((each) => sourceVersionOf(each) === wanted);
    const isNeeded = found?.["Architecture"] === "amd64";
    if (found === undefined || !isNeeded) continue;
    progress.step(`get ${name}`);
    const deb = `${shipped}.${name}.deb`;
    await archive.download(name, found["Version"] ?? "", deb);
    await unpackPackage(deb, shipped, signal);
    await rm(deb);
  }
}

/** Executables and libraries; of several names for one file the first is the one that users know: a package's, the plainest. */
export function shippedPrograms(root: string): ShippedFile[] {
  // Debian's policy, 12.5: every package has a directory of its name there.
  const packages = new Set(readdirSync(join(root, "usr/share/doc")));
  const rank = ({ path, file }: ShippedFile): number => {
    if (packages.has(basename(path))) return 0;
    return lstatSync(file).isSymbolicLink() ? 2 : 1;
  };
  return [...filesBelow(root, "")]
    .map((path) => ({ path, file: join(root, path) }))
    .filter(({ file }) => isProgram(file) && inside(realpathSync(file), realpathSync(root)) !== undefined)
    .toSorted((a, b) => rank(a) - rank(b) || a.path.length - b.path.length || (a.path < b.path ? -1 : 1));
}

/** A package whose version differs from its source's says so: `Source: name (version)`. */
function sourceVersionOf(stanza: PackageStanza): string {
  const version = stanza["Version"] ?? "";
  return /\(([^)]+)\)/.exec(stanza["Source"] ?? "")?.[1] ?? version.replace(/\+b\d+$/, "");
}

function* filesBelow(root: string, below: string): Generator<string> {
  for (const each of readdirSync(join(root, below), { withFileTypes: true })) {
    const path = `${below}/${each.name}`;
    if (each.isDirectory()) yield* filesBelow(root, path);
    else if (each.isFile() || each.isSymbolicLink()) yield path;
  }
}
