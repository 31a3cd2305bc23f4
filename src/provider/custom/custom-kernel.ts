/** A ready kernel out of a user's own source and build trees. */

import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { mkdir, open, readdir, readFile, realpath, symlink } from "node:fs/promises";
import { join, resolve } from "node:path";
import { archOfConfig } from "../../arch/registry.ts";
import { SutureError } from "../../lib/error.ts";
import { cannotBuild } from "../kernel/cannot-build.ts";
import { checkAccounted } from "../kernel/config-accounted.ts";
import { checkConfigOf } from "../kernel/config-agrees.ts";
import { compilerTextOf, type KernelChoice, parseConfig } from "../kernel/kernel.ts";
import { digestImage } from "../kernel/kernel-image.ts";
import type { KernelSource, Making } from "../kernel/kernel-source.ts";
import { prepareTree, writeRecord } from "../kernel/ready-kernel.ts";
import { linkModules } from "./built-modules.ts";
import { linkTree } from "./link-tree.ts";
import { recordedCompiler } from "./recorded-compiler.ts";

/** A kernel by paths of the user's. */
type CustomChoice = KernelChoice & { readonly kind: "custom" | "build" };

/** Throws `KERNEL_INCOMPLETE`, naming what is not there. */
export async function customKernel(choice: CustomChoice): Promise<KernelSource> {
  const parts = await findCustomParts(choice);
  return {
    name: `custom-${parts.digest.slice(0, 16)}`,
    isAtHand: true,
    make: (directory, making) => makeCustomKernel(directory, parts, making),
  };
}

/** What the four paths hold, found and checked. */
interface CustomParts {
  readonly release: string;
  readonly source: string;
  readonly headers: string;
  readonly vmlinux: string;
  /** Of the directory that make has built in. */
  readonly isBuild: boolean;
  /** As installed, or as make has left them. */
  readonly modules: string;
  /** What can be booted; undefined where vmlinux alone is known. */
  readonly image: string | undefined;
  readonly objtool: string;
  readonly symvers: string;
  /** Changes when one of them does, but not with the source. */
  readonly digest: string;
}

/** Throws `KERNEL_INCOMPLETE`, naming what is not there. */
export async function findCustomParts(choice: CustomChoice): Promise<CustomParts> {
  const isBuild = choice.kind === "build";
  const paths = isBuild ? await pathsOfBuild(resolve(choice.directory)) : choice;
  const [source, headers] = [resolve(paths.source), resolve(paths.headers)];
  const [vmlinux, modules] = [resolve(paths.vmlinux), resolve(paths.modules)];
  const of = (option: string): string => (isBuild ? "--build" : option);
  need(join(source, "Kbuild"), `${of("--source")} is to be the directory of a kernel's source`);
  const generated = ["autoconf.h", "utsrelease.h"].map((name) => `include/generated/${name}`);
  const built = (file: string): string =>
    need(
      join(headers, file),
      `${of("--headers")} is to be the directory that the kernel was built in${isBuild ? "" : ", or its headers package's"}`,
    );
  const config = await readFile(built(".config"), "utf8");
  const { directory, image } = archOfConfig(parseConfig(config), join(headers, ".config")).kernel.sources;
  for (const file of [...generated, `arch/${directory}/include/generated/asm`]) built(file);
  need(vmlinux, isBuild ? "it is made by: make" : "--vmlinux is to be the kernel's vmlinux or image");
  need(modules, "--modules is to be the directory that holds the kernel's modules, for instance lib/modules/RELEASE");
  const objtool = need(join(headers, "tools/objtool/objtool"), "build it with: make prepare");
  const symvers = need(join(headers, "Module.symvers"), "it is made by: make modules");
  const utsrelease = await readFile(join(headers, "include/generated/utsrelease.h"), "utf8");
  const release = /UTS_RELEASE "([^"]+)"/.exec(utsrelease)?.[1] ?? "";
  const hash = createHash("sha256");
  hash.update([source, headers, vmlinux, modules, config].join("\0"));
  for (const file of [vmlinux, objtool, symvers]) hash.update(`\0${statSync(file).mtimeMs} ${statSync(file).size}`);
  const own = isBuild ? join(headers, image) : vmlinux;
  const bootable = existsSync(own) && !(await isElf(own)) ? own : undefined;
  return {
    ...{ release, source, headers, vmlinux, isBuild, modules, image: bootable, objtool, symvers },
    digest: hash.digest("hex"),
  };
}

/** kbuild leaves a link to the source in the directory that O= names. */
async function pathsOfBuild(build: string) {
  const link = join(build, "source");
  const source = existsSync(join(link, "Kbuild")) ? await realpath(link) : build;
  return { source, headers: build, vmlinux: join(build, "vmlinux"), modules: build };
}

async function isElf(path: string): Promise<boolean> {
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
  return bytesRead === 4 && buffer.toString("latin1") === "\x7fELF";
}

function need(path: string, hint: string): string {
  if (existsSync(path)) return path;
  throw new SutureError("KERNEL_INCOMPLETE", "a part of the kernel is not there", { where: path, hint });
}

/** Fills `directory`, which is empty. */
async function makeCustomKernel(directory: string, parts: CustomParts, making: Making): Promise<void> {
  const config = parseConfig(await readFile(join(parts.headers, ".config"), "utf8"));
  const compilerText = compilerTextOf(config, join(parts.headers, ".config"));
  checkAccounted(config, join(parts.headers, ".config"));
  const compilerPath = await recordedCompiler(parts.headers);
  const wanted = { compilerText, ...(compilerPath === undefined ? {} : { compilerPath }) };
  const compiler = await making.compilerFor(wanted);
  await checkConfigOf(parts.source, config, parts.release, parts.source);
  const leftOut = cannotBuild(config);
  const source = join(directory, "source");
  making.progress.step(`reading the image of ${parts.release}`);
  const outputs = { vmlinux: join(directory, "vmlinux"), symbols: join(directory, "symbols.table") };
  const { buildId } = await digestImage(parts.vmlinux, { ...outputs, layouts: join(directory, "layouts.json") });
  making.progress.step(`linking to the source of ${parts.release}`);
  await linkTree({ from: parts.source, to: source }, new Set(leftOut), making.signal);
  await overlay(join(parts.headers, "include"), join(source, "include"), /\.(h|conf)$|^rustc_cfg$|^[a-z]+\.release$/);
  const { directory: machine } = archOfConfig(config, parts.headers).kernel.sources;
  const generated = `arch/${machine}/include`;
  await overlay(join(parts.headers, generated), join(source, generated), /\.h$/);
  await relink(join(parts.headers, ".config"), join(source, ".config"));
  await relink(parts.symvers, join(source, "Module.symvers"));
  await relink(join(parts.headers, "scripts/basic/fixdep"), join(source, "scripts/basic/fixdep"));
  making.progress.step(`reading how ${parts.release} is built`);
  await prepareTree(source, join(directory, "units"), compiler, making.signal);
  if (parts.isBuild) await linkModules(parts.modules, join(directory, "modules"));
  const paths = {
    source: "source",
    objtool: parts.objtool,
    vmlinux: "vmlinux",
    ...(parts.image === undefined ? {} : { vmlinuz: parts.image }),
    modules: parts.isBuild ? "modules" : parts.modules,
    symbols: "symbols.table",
    layouts: "layouts.json",
    units: "units",
  };
  const { release, digest } = parts;
  const isBuiltBeside = parts.source !== parts.headers;
  const record = { release, version: "", buildId, ...wanted, sourceMayChange: true, isBuiltBeside, leftOut, paths };
  await writeRecord(directory, record, [compiler.text, digest]);
}

/** Adds what only the build directory has. */
async function overlay(from: string, to: string, names: RegExp): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (statSync(source).isDirectory()) await overlay(source, target, names);
    else if (names.test(entry.name) && !existsSync(target)) await symlink(source, target);
  }
}

async function relink(from: string, to: string): Promise<void> {
  if (existsSync(from) && !existsSync(to)) await symlink(from, to);
}
