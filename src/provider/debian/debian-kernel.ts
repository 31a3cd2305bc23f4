/** A ready kernel out of Debian's packages. */

import { existsSync } from "node:fs";
import { chmod, copyFile, cp, mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { join, relative } from "node:path";
import type { Arch } from "../../arch/arch.ts";
import { archOfConfig } from "../../arch/registry.ts";
import { SutureError } from "../../lib/error.ts";
import { mapParallel } from "../../lib/parallel.ts";
import { cannotBuild } from "../kernel/cannot-build.ts";
import { checkConfigOf } from "../kernel/config-agrees.ts";
import { compilerTextOf, parseConfig } from "../kernel/kernel.ts";
import { digestImage } from "../kernel/kernel-image.ts";
import type { Making } from "../kernel/kernel-source.ts";
import { prepareTree, writeRecord } from "../kernel/ready-kernel.ts";
import type { ChosenPackage, SourceName } from "./debian-packages.ts";
import { makeProgramsStart } from "./kbuild-programs.ts";
import { applyPatches, realTimePatches } from "./real-time-patches.ts";
import { unpackPackage, unpackSource } from "./unpack-packages.ts";

/** The packages of one kernel, downloaded. */
export interface DebianParts {
  readonly release: string;
  readonly version: string;
  /** Paths of the .deb files: what holds the image and the modules. */
  readonly images: readonly string[];
  readonly headers: string;
  readonly kbuild: string;
  readonly source: string;
  /** The source package whose patches for real time the tree is to have. */
  readonly realTime: SourceName | undefined;
  readonly kbuildPackage: ChosenPackage;
}

/** Fills `directory`, which is empty. */
export async function makeDebianKernel(directory: string, parts: DebianParts, making: Making): Promise<void> {
  const unpacked = join(directory, "unpacked");
  making.progress.step(`unpacking the headers of ${parts.release}`);
  await unpackPackage(parts.headers, unpacked, making.signal);
  await unpackPackage(parts.kbuild, unpacked, making.signal);
  const headers = join(unpacked, "usr/src", `linux-headers-${parts.release}`);
  const config = parseConfig(await readFile(heldBy(parts.headers, join(headers, ".config"), unpacked), "utf8"));
  const compilerText = compilerTextOf(config, `linux-headers-${parts.release}`);
  const compiler = await making.compilerFor({ compilerText });
  const leftOut = cannotBuild(config);
  const source = join(directory, "source");

  making.progress.step(`unpacking the source and the image of ${parts.release}`);
  let buildId = "";
  const image = async (signal: AbortSignal): Promise<void> => {
    buildId = await takeImage(directory, parts, signal);
  };
  const tree = async (signal: AbortSignal): Promise<void> => {
    await unpackSource(parts.source, source, leftOut, signal);
    await checkSourceVersion(source, parts.version, parts.source);
    if (parts.realTime !== undefined) {
      const patches = await realTimePatches(parts.realTime, join(directory, "packaging"), { ...making, signal });
      await applyPatches(patches, source, leftOut, signal);
    }
    await checkConfigOf(source, config, parts.release, parts.source);
    await addHeaders(source, headers, archOfConfig(config, headers));
    await addPrograms(source, join(unpacked, "usr/lib"), archOfConfig(config, headers));
    await makeProgramsStart(programsIn(source, archOfConfig(config, headers)), parts.kbuildPackage, directory, {
      ...making,
      signal,
    });
    making.progress.step(`reading how ${parts.release} is built`);
    await prepareTree(source, join(directory, "units"), compiler, signal);
  };
  await mapParallel([tree, image], 2, async (work, _, signal) => await work(signal), making.signal);
  await rm(unpacked, { recursive: true });
  const { release, version } = parts;
  const record = { release, version, buildId, compilerText, sourceMayChange: false, leftOut, paths: PATHS };
  await writeRecord(directory, record, [compiler.text]);
}

const PATHS = {
  source: "source",
  objtool: "source/tools/objtool/objtool",
  vmlinux: "vmlinux",
  vmlinuz: "vmlinuz",
  modules: "modules",
  symbols: "symbols.table",
  layouts: "layouts.json",
  units: "units",
} as const;

async function takeImage(directory: string, parts: DebianParts, signal: AbortSignal): Promise<string> {
  const unpacked = join(directory, "unpacked-image");
  for (const deb of parts.images) await unpackPackage(deb, unpacked, signal);
  const vmlinuz = join(directory, PATHS.vmlinuz);
  const libraries = existsSync(join(unpacked, "usr/lib/modules")) ? "usr/lib/modules" : "lib/modules";
  const held = (path: string): string => heldBy(parts.images.join(", "), join(unpacked, path), unpacked);
  const beside = join(libraries, parts.release, "vmlinuz");
  const image = existsSync(join(unpacked, beside)) ? beside : join("boot", `vmlinuz-${parts.release}`);
  await rename(held(image), vmlinuz);
  await rename(held(join(libraries, parts.release)), join(directory, PATHS.modules));
  await rm(unpacked, { recursive: true });
  const outputs = {
    vmlinux: join(directory, PATHS.vmlinux),
    symbols: join(directory, PATHS.symbols),
    layouts: join(directory, PATHS.layouts),
  };
  return (await digestImage(vmlinuz, outputs)).buildId;
}

/** `path`, which a package unpacked below `unpacked` is to have. Throws `PACKAGE_UNUSABLE`. */
function heldBy(deb: string, path: string, unpacked: string): string {
  if (existsSync(path)) return path;
  throw new SutureError("PACKAGE_UNUSABLE", `the package does not hold ${relative(unpacked, path)}`, {
    where: deb,
    hint: "remove that file, then fetch the kernel again",
  });
}

/** Image and source have the same package version; the tree's own words are checked as well. */
export async function checkSourceVersion(source: string, version: string, deb: string): Promise<void> {
  const makefile = await readFile(join(source, "Makefile"), "utf8");
  const number = (name: string): string => new RegExp(`^${name}\\s*=\\s*(\\d+)\\s*$`, "m").exec(makefile)?.[1] ?? "";
  const said = ["VERSION", "PATCHLEVEL", "SUBLEVEL"].map(number).join(".");
  const candidate = /^EXTRAVERSION\s*=\s*-(rc\d+)\s*$/m.exec(makefile)?.[1];
  // Before a release Debian says 7.3~rc7 of what calls itself 7.3.0-rc7.
  const known = candidate === undefined ? said : `${said.replace(/\.0$/, "")}~${candidate}`;
  if (version.startsWith(`${known}-`) || (candidate === undefined && version.startsWith(`${said}~`))) return;
  throw new SutureError(
    "SOURCE_OF_ANOTHER_KERNEL",
    `the source package holds Linux ${said}, the kernel is ${version}`,
    {
      where: deb,
      hint: "remove that file, then fetch the kernel again",
    },
  );
}

/** What building the kernel generated, as the headers package ships it. */
export async function addHeaders(source: string, headers: string, { kernel }: Arch): Promise<void> {
  await rename(join(headers, "include/generated"), join(source, "include/generated"));
  await mkdir(join(source, "include/config"));
  for (const file of await readdir(join(headers, "include/config"))) {
    // The rest are empty files, one for each option, for make to compare times with.
    if (/^[a-z]/.test(file))
      await copyFile(join(headers, "include/config", file), join(source, "include/config", file));
  }
  const generated = `arch/${kernel.sources.directory}/include/generated`;
  await rename(join(headers, generated), join(source, generated));
  for (const file of [".config", "Module.symvers"]) await copyFile(join(headers, file), join(source, file));
}

/** Compiled programs only: the package's scripts may be of another revision than the source. */
export async function addPrograms(source: string, libraries: string, arch: Arch): Promise<void> {
  const [kbuild] = (await readdir(libraries)).filter((name) => name.startsWith("linux-kbuild-"));
  for (const program of programsFor(arch)) {
    const from = join(libraries, kbuild ?? "", program);
    if (!existsSync(from)) continue;
    await mkdir(join(source, program, ".."), { recursive: true });
    await cp(from, join(source, program), { dereference: true });
    await chmod(join(source, program), 0o755);
  }
}

function programsFor({ kernel }: Arch): string[] {
  return [
    "scripts/basic/fixdep",
    "scripts/genksyms/genksyms",
    "scripts/mod/modpost",
    "tools/objtool/objtool",
    // What Debian's objtool since 6.12 runs, by SRCARCH.
    `tools/objtool/objtool.real-${kernel.sources.directory}`,
  ];
}

function programsIn(source: string, arch: Arch): string[] {
  return programsFor(arch)
    .map((program) => join(source, program))
    .filter((program) => existsSync(program));
}
