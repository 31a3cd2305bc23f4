/**
 * Files of installed packages that a source package does not ask for. Debian builds where there are none of them;
 * what a build finds beyond what it asks for, it may use: a newer library in place of the one that it is built for.
 */
import { lstatSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { run } from "../../lib/run.ts";
import { type HiddenFiles, withoutFiles } from "../program/hidden-files.ts";
import { parseStanzas } from "./debian-archive.ts";

/** What every build has, whether or not the package of this name is installed. */
const ALWAYS = ["build-essential", "dpkg-dev", "g++", "gcc", "libc6-dev", "make"];

/** Packages that exist to be built against. */
const FOR_BUILDS = /-dev$/;
/** Where builds look for these. */
const FOUND = /^\/usr\/(?:bin|include|lib|share\/(?:aclocal|cmake|pkgconfig))\//;

const FORMAT = ["Package", "Architecture", "db:Status-Abbrev", "Essential", "Pre-Depends", "Depends", "Provides"]
  .map((field) => `\${${field}}`)
  .join("\\t");

interface Installed {
  readonly name: string;
  /** As dpkg takes it where several architectures are installed. */
  readonly spec: string;
  readonly isEssential: boolean;
  readonly needs: readonly string[];
  readonly provides: readonly string[];
}

/**
 * A view without them, for builds of the source below `tree`. Undefined where there is nothing to hide, or no such
 * view can be had: a tree below /usr would be written to in the view alone.
 */
export async function withoutUnasked(tree: string, signal: AbortSignal | undefined): Promise<HiddenFiles | undefined> {
  if (tree.startsWith("/usr/")) return undefined;
  return await withoutFiles(await unaskedFiles(tree, signal), signal);
}

/** Paths below /usr, those that lie in others of them left out. */
async function unaskedFiles(tree: string, signal: AbortSignal | undefined): Promise<string[]> {
  const { stdout } = await run("dpkg-query", ["--show", "--showformat", `${FORMAT}\\n`], { check: true, signal });
  const installed = installedIn(stdout);
  const asked = closureOf([...ALWAYS, ...(await buildDependencies(tree))], installed);
  const isHidden = ({ name }: Installed): boolean => FOR_BUILDS.test(name) && !asked.has(name);
  const hidden = await filesOf(installed.filter(isHidden), signal);
  const others = await filesOf(
    installed.filter((each) => !isHidden(each)),
    signal,
  );
  const paths = new Set([...hidden].filter((path) => FOUND.test(path) && !others.has(path)));
  return [...paths].filter((path) => !liesIn(path, paths)).sort();
}

function liesIn(path: string, paths: ReadonlySet<string>): boolean {
  for (let at = dirname(path); at !== "/"; at = dirname(at)) if (paths.has(at)) return true;
  return false;
}

function installedIn(text: string): Installed[] {
  return text.split("\n").flatMap((line): Installed[] => {
    const [name = "", architecture = "", status = "", essential = "", before = "", needs = "", provides = ""] =
      line.split("\t");
    if (!status.startsWith("ii")) return [];
    return [
      {
        name,
        spec: architecture === "all" ? name : `${name}:${architecture}`,
        isEssential: essential === "yes",
        needs: [...namesIn(before), ...namesIn(needs)],
        provides: namesIn(provides),
      },
    ];
  });
}

/** Of a list of relations, every alternative, for whichever architecture, version and profile. */
function namesIn(relations: string): string[] {
  return relations
    .split(/[,|]/)
    .map((each) => /^\s*([a-z0-9][a-z0-9+.-]*)/.exec(each)?.[1] ?? "")
    .filter((name) => name !== "");
}

/** Names of packages and of what they provide, with all that these need. */
function closureOf(names: readonly string[], installed: readonly Installed[]): ReadonlySet<string> {
  const byName = new Map<string, Installed[]>();
  for (const each of installed) {
    for (const name of [each.name, ...each.provides]) byName.set(name, [...(byName.get(name) ?? []), each]);
  }
  const found = new Set<string>();
  const open = [...names, ...installed.filter(({ isEssential }) => isEssential).map(({ name }) => name)];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    for (const each of byName.get(name) ?? []) open.push(each.name, ...each.needs);
  }
  return found;
}

async function buildDependencies(tree: string): Promise<string[]> {
  const text = await readFile(join(tree, "debian/control"), "utf8");
  const [source = {}] = parseStanzas(text.replaceAll(/^#.*\n/gm, ""));
  return ["Build-Depends", "Build-Depends-Arch", "Build-Depends-Indep"].flatMap((name) => namesIn(source[name] ?? ""));
}

/** By the names that they have where /lib is a link into /usr. */
async function filesOf(packages: readonly Installed[], signal: AbortSignal | undefined): Promise<Set<string>> {
  if (packages.length === 0) return new Set();
  const names = packages.map(({ spec }) => spec);
  const { stdout } = await run("dpkg-query", ["--listfiles", ...names], { signal });
  const isMerged = lstatSync("/lib").isSymbolicLink();
  return new Set(
    stdout.split("\n").map((path) => (isMerged ? path.replace(/^\/(?=(?:bin|lib|sbin)\/)/, "/usr/") : path)),
  );
}
