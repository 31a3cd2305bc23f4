/** Runs a Debian source package's own build once, and notes what it compiles. */
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { SutureError } from "../../lib/error.ts";
import type { Progress } from "../../lib/progress.ts";
import { run } from "../../lib/run.ts";
import { temporaryDirectory } from "../../lib/temp.ts";
import { buildError } from "../program/build-error.ts";
import { type BuildPlace, placeAt, shippedBuildPath } from "../program/build-path.ts";
import type { CompileCommand } from "../program/command-line.ts";
import { inside, movedCommand } from "../program/moved-command.ts";
import { makeRecorder, type Recorder } from "../program/recorder.ts";
import type { SourceArchive } from "./source-archive.ts";
import { withoutUnasked } from "./unasked-files.ts";

/** One run of a source package's own build. */
export interface SourceBuild {
  /** Name and version, for messages. */
  readonly name: string;
  readonly archive: SourceArchive;
  readonly jobs: number;
  /** Path of the build's output, kept where it fails. */
  readonly log: string;
  /** Paths of what ships, which may keep the path that it was built at. */
  readonly shipped: readonly string[];
  /** Of debian/rules; all that is for this architecture by default. */
  readonly target?: string | undefined;
  /** More words of DEB_BUILD_OPTIONS. */
  readonly options?: readonly string[] | undefined;
  readonly progress: Progress;
  readonly signal: AbortSignal | undefined;
}

/**
 * As little as makes the same code: no tests, and nothing for other machines.
 * Rules that cannot do without what that leaves out are run as the archive runs them.
 */
const LEAN = "nocheck nobiarch";
const FULL = "";
const BUILD = "build-arch";
/** What makes packages; some compile only then. */
const BINARY = "binary-arch";

interface Run extends SourceBuild {
  readonly recorder: Recorder;
  readonly profiles: string;
  readonly place: BuildPlace | undefined;
}

/**
 * @param tree the unpacked source, beside the files that it was unpacked from
 * @returns the compiles of files that are there afterwards
 */
export async function buildSource(tree: string, build: SourceBuild): Promise<CompileCommand[]> {
  const { log, progress, signal } = build;
  const path = shippedBuildPath(basename(tree), build.shipped);
  using place = path === undefined ? undefined : await placeAt(path, tree, signal);
  await using recording = await temporaryDirectory();
  const recorder = await makeRecorder(recording.path);
  const total = sourcesBelow(tree);
  const timer = setInterval(() => progress.tick(Math.min(recorder.count(), total), total), 1000);
  try {
    await buildOnce(tree, { ...build, recorder, place });
  } finally {
    clearInterval(timer);
  }
  await rm(log, { force: true });
  moveLinks(tree, place?.path);
  const commands = await compiledIn(tree, recorder, place);
  if (commands.length === 0)
    throw new SutureError("NOTHING_COMPILED", `the build of ${build.name} compiled no C or C++`, {
      where: tree,
      hint: "only programs in C and C++ can be patched",
    });
  return commands;
}

async function buildOnce(tree: string, build: Omit<Run, "profiles">): Promise<void> {
  const { name, log, recorder, place, progress, target = BUILD } = build;
  progress.step(`build ${name} with its own build, once`);
  let profiles = LEAN;
  await installDependencies(tree, { ...build, profiles });
  if (!(await make(tree, target, { ...build, profiles }))) {
    if (!knowsProfiles(tree)) throw buildFailed(name, log);
    progress.note(`the build of ${name} needs more than it is built from at least: building as the archive does`);
    profiles = FULL;
    await unpackAgain(tree, build.signal);
    await installDependencies(tree, { ...build, profiles });
    if (!(await make(tree, target, { ...build, profiles }))) throw buildFailed(name, log);
  }
  if (target !== BUILD) return;
  const isAll = (await compiledIn(tree, recorder, place)).length > 0 && hasAllOf(build.shipped, tree);
  if (isAll) return;
  progress.step(`make the packages of ${name}, which may compile more`);
  const isMade = await make(tree, BINARY, { ...build, profiles });
  for (const name of readdirSync(dirname(tree))) if (/\.u?deb$/.test(name)) rmSync(join(dirname(tree), name));
  if (!isMade && (await compiledIn(tree, recorder, place)).length === 0) throw buildFailed(name, log);
}

async function make(tree: string, target: string, build: Run): Promise<boolean> {
  const { jobs, log, recorder, profiles, place, options = [], signal } = build;
  const env = {
    PATH: `${recorder.directory}:${process.env["PATH"] ?? "/usr/bin:/bin"}:/usr/sbin:/sbin`,
    DEB_BUILD_OPTIONS: ["nocheck", ...options, `parallel=${jobs}`].join(" "),
    DEB_BUILD_PROFILES: profiles,
    PWD: tree,
  };
  const command = ["dpkg-buildpackage", "-us", "-uc", "-b", "-T", target];
  await using hidden = await withoutUnasked(tree, signal);
  const there = place?.command(command) ?? command;
  const alone = hidden?.command(there) ?? there;
  const logged = ["-c", 'log=$1; shift; exec "$@" >"$log" 2>&1', "bash", log, ...alone];
  return (await run("bash", logged, { cwd: tree, env, signal })).exitCode === 0;
}

/** Files of debian/ in which rules ask for a profile. */
const ASKING = /<!?no(check|biarch)\b|DEB_BUILD_PROFILES/;

/** Whether anything of the build depends on the profiles. */
function knowsProfiles(tree: string): boolean {
  const files = readdirSync(join(tree, "debian"), { withFileTypes: true }).filter((each) => each.isFile());
  return files.some(({ name }) => ASKING.test(readFileSync(join(tree, "debian", name), "latin1")));
}

async function unpackAgain(tree: string, signal: AbortSignal | undefined): Promise<void> {
  const directory = dirname(tree);
  const description = readdirSync(directory).find((name) => name.endsWith(".dsc"));
  if (description === undefined) throw new Error(`${directory} has no source package to unpack again`);
  await rm(tree, { recursive: true });
  const args = ["--no-check", "--extract", join(directory, description), tree];
  await run("dpkg-source", args, { cwd: directory, signal, check: true });
}

/** Whether there is a program or library of each shipped name. */
function hasAllOf(shipped: readonly string[], tree: string): boolean {
  const names = new Set(namesBelow(tree));
  return shipped.every((path) => names.has(basename(path)));
}

function* namesBelow(directory: string): Generator<string> {
  for (const each of readdirSync(directory, { withFileTypes: true })) {
    if (each.isDirectory()) yield* namesBelow(join(directory, each.name));
    else yield each.name;
  }
}

async function compiledIn(tree: string, recorder: Recorder, place: BuildPlace | undefined): Promise<CompileCommand[]> {
  const commands = await recorder.commands();
  const here = place === undefined ? commands : commands.map((command) => movedCommand(command, place.path, tree));
  return here.filter(({ directory, source }) => {
    const path = resolve(directory, source);
    return inside(path, tree) !== undefined && existsSync(path);
  });
}

/** Another program may install packages now. */
const WAITING = ["-o", "DPkg::Lock::Timeout=600"];

async function installDependencies(
  tree: string,
  { name, archive, profiles, progress, signal }: Omit<Run, "recorder">,
): Promise<void> {
  const env = { DEB_BUILD_PROFILES: profiles, DEBIAN_FRONTEND: "noninteractive" };
  const checked = await run("dpkg-checkbuilddeps", [], { cwd: tree, env, signal });
  if (checked.exitCode === 0) return;
  const missing = checked.stderr.replace(/^.*[Uu]nmet build dependencies:\s*/s, "").trim();
  if (process.getuid?.() !== 0)
    throw new SutureError("BUILD_DEPENDENCIES_MISSING", `the build of ${name} needs packages that are not installed`, {
      where: missing,
      hint: `run as root: apt-get build-dep ${name.split(" ", 1)[0]}`,
    });
  progress.note(`installing what the build of ${name} needs: ${missing}`);
  const args = [...archive.options, ...WAITING, "-q", "-y", "--no-install-recommends", "build-dep", tree];
  const installed = await run("apt-get", args, { env, signal });
  if (installed.exitCode === 0) return;
  throw new SutureError("BUILD_DEPENDENCIES_MISSING", `what the build of ${name} needs cannot be installed`, {
    where: installed.stderr.trim().split("\n").at(-1),
    hint: `install it by hand: ${missing}`,
  });
}

function buildFailed(name: string, log: string): SutureError {
  const text = existsSync(log) ? readFileSync(log, "utf8") : "";
  return new SutureError("BUILD_FAILED", `the build of ${name} fails:\n${buildError(text)}`, {
    where: log,
    hint: "build the source package by hand to see why; then name its compile commands with --compile-commands",
  });
}

/**
 * The directory above the tree gets another name when it is whole: links into it
 * by its present one, or by the path of a private place, have to be relative.
 */
function moveLinks(tree: string, builtAt: string | undefined): void {
  const directory = dirname(tree);
  for (const path of linksBelow(directory)) {
    const target = readlinkSync(path);
    const rest = builtAt === undefined ? undefined : inside(target, builtAt);
    const within = rest === undefined ? inside(target, directory) : join(basename(tree), rest);
    if (within === undefined) continue;
    const up = dirname(inside(path, directory) ?? "")
      .split("/")
      .filter((part) => part !== "." && part !== "");
    rmSync(path);
    symlinkSync(join(...up.map(() => ".."), within), path);
  }
}

function* linksBelow(directory: string): Generator<string> {
  for (const each of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, each.name);
    if (each.isSymbolicLink()) yield path;
    else if (each.isDirectory() && lstatSync(path).isDirectory()) yield* linksBelow(path);
  }
}

/** How much there is to compile at most, for the progress. */
function sourcesBelow(directory: string): number {
  let count = 0;
  for (const each of readdirSync(directory, { withFileTypes: true })) {
    if (each.isDirectory()) count += sourcesBelow(join(directory, each.name));
    else if (/\.(c|cc|cpp|cxx)$/.test(each.name)) count++;
  }
  return count;
}
