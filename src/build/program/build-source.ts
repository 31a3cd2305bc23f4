/** Runs a Debian source package's own build once, and notes what it compiles. */
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { SutureError } from "../../lib/error.ts";
import type { Progress } from "../../lib/progress.ts";
import { run } from "../../lib/run.ts";
import { temporaryDirectory } from "../../lib/temp.ts";
import type { CompileCommand } from "./command-line.ts";
import { inside } from "./compile.ts";
import { makeRecorder } from "./recorder.ts";
import type { SourceArchive } from "./source-archive.ts";

export interface SourceBuild {
  /** Name and version, for messages. */
  readonly name: string;
  readonly archive: SourceArchive;
  readonly jobs: number;
  /** Path of the build's output, kept where it fails. */
  readonly log: string;
  readonly progress: Progress;
  readonly signal: AbortSignal | undefined;
}

/** Tests are not run: neither they nor what only they need change the code. */
const PROFILES = "nocheck";

/** @param tree the unpacked source; returns the compiles of files that are there afterwards */
export async function buildSource(tree: string, build: SourceBuild): Promise<CompileCommand[]> {
  const { name, jobs, log, progress, signal } = build;
  await installDependencies(tree, build);
  await using recording = await temporaryDirectory();
  const recorder = await makeRecorder(recording.path);
  const env = {
    PATH: `${recorder.directory}:${process.env["PATH"] ?? "/usr/bin:/bin"}:/usr/sbin:/sbin`,
    DEB_BUILD_OPTIONS: `nocheck parallel=${jobs}`,
    DEB_BUILD_PROFILES: PROFILES,
    PWD: tree,
  };
  progress.step(`build ${name} with its own build, once`);
  const total = sourcesBelow(tree);
  const timer = setInterval(() => progress.tick(Math.min(recorder.count(), total), total), 1000);
  try {
    const command = ["dpkg-buildpackage", "-us", "-uc", "-b", "-T", "build-arch"];
    const logged = ["-c", 'log=$1; shift; exec "$@" >"$log" 2>&1', "bash", log, ...command];
    const built = await run("bash", logged, { cwd: tree, env, signal });
    if (built.exitCode !== 0) throw buildFailed(name, log);
  } finally {
    clearInterval(timer);
  }
  await rm(log, { force: true });
  moveLinks(dirname(tree));
  const commands = (await recorder.commands()).filter(({ directory, source }) => {
    const path = resolve(directory, source);
    return inside(path, tree) !== undefined && existsSync(path);
  });
  if (commands.length === 0)
    throw new SutureError("NOTHING_COMPILED", `the build of ${name} compiled no C or C++`, {
      where: tree,
      hint: "only programs in C and C++ can be patched",
    });
  return commands;
}

async function installDependencies(tree: string, { name, archive, progress, signal }: SourceBuild): Promise<void> {
  const env = { DEB_BUILD_PROFILES: PROFILES, DEBIAN_FRONTEND: "noninteractive" };
  const checked = await run("dpkg-checkbuilddeps", [], { cwd: tree, env, signal });
  if (checked.exitCode === 0) return;
  const missing = checked.stderr.replace(/^.*[Uu]nmet build dependencies:\s*/s, "").trim();
  if (process.getuid?.() !== 0)
    throw new SutureError("BUILD_DEPENDENCIES_MISSING", `the build of ${name} needs packages that are not installed`, {
      where: missing,
      hint: `run as root: apt-get build-dep ${name.split(" ", 1)[0]}`,
    });
  progress.note(`installing what the build of ${name} needs: ${missing}`);
  const args = [...archive.options, "-q", "-y", "--no-install-recommends", "build-dep", tree];
  const installed = await run("apt-get", args, { env, signal });
  if (installed.exitCode === 0) return;
  throw new SutureError("BUILD_DEPENDENCIES_MISSING", `what the build of ${name} needs cannot be installed`, {
    where: installed.stderr.trim().split("\n").at(-1),
    hint: `install it by hand: ${missing}`,
  });
}

const TAIL_LINES = 15;

function buildFailed(name: string, log: string): SutureError {
  const lines = existsSync(log) ? readFileSync(log, "utf8").trimEnd().split("\n") : [];
  return new SutureError("BUILD_FAILED", `the build of ${name} fails:\n${lines.slice(-TAIL_LINES).join("\n")}`, {
    where: log,
    hint: "build the source package by hand to see why; then name its compile commands with --compile-commands",
  });
}

/** The directory gets another name when it is whole: links into it by its present one have to be relative. */
function moveLinks(directory: string): void {
  for (const path of linksBelow(directory)) {
    const target = readlinkSync(path);
    const within = inside(target, directory);
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
