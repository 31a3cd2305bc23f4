/** Asks a kernel's own makefiles, without building anything. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Arch } from "../../arch/arch.ts";
import { archOfConfig, archOfHost } from "../../arch/registry.ts";
import { SutureError } from "../../lib/error.ts";
import { type RunResult, run } from "../../lib/run.ts";
import { type Compiler, linkingCompiler } from "../toolchain/compiler.ts";
import { isClang } from "../toolchain/compiler-names.ts";
import { parseConfig } from "./kernel.ts";

/** A tree whose makefiles can be asked what they would do. */
export interface Kbuild {
  /** A configured source tree that may be written to. */
  readonly tree: string;
  /** By its configuration. */
  readonly arch: Arch;
  /** What the top Makefile exports to those of the directories. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly compiler: Compiler;
}

/** Variables that belong to the run of make that printed them. */
const OF_ONE_RUN = new Set(
  ["MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "MAKE_TERMERR", "MAKE_TERMOUT", "SHELL", "_", "SHLVL"].concat([
    "Q",
    "quiet",
    "KBUILD_VERBOSE",
    "KBUILD_BUILTIN",
    "KBUILD_MODULES",
    "PWD",
    "OLDPWD",
  ]),
);

/**
 * Runs the top Makefile up to where it would start to build, and keeps what it
 * exports. `may-sync-config` empty: the configuration is taken as it is;
 * `need-compiler`: the compiler is asked for its options all the same.
 * Throws `KBUILD_FAILED`, `MACHINE_NOT_KNOWN`.
 */
export async function openKbuild(tree: string, compiler: Compiler, signal?: AbortSignal): Promise<Kbuild> {
  const args = ["-s", "--eval=suture-environment: ; @env -0", "may-sync-config=", "need-compiler=1"];
  const config = parseConfig(await readFile(join(tree, ".config"), "utf8"));
  const arch = archOfConfig(config, join(tree, ".config"));
  // Else an older tree has clang use the assembler of binutils, and a newer one its own.
  if (isClang(compiler)) args.push(`LLVM_IAS=${config.get("AS_IS_LLVM") === "y" ? 1 : 0}`);
  const programs = arch === archOfHost() ? [`HOSTCC=${linkingCompiler(compiler)}`] : crossing(arch);
  const made = await run("make", [...args, `CC=${compiler.path}`, ...programs, "suture-environment"], {
    cwd: tree,
    env: bareEnvironment({}),
    signal,
  });
  const exported: Record<string, string> = {};
  for (const line of made.bytes.toString().split("\0")) {
    const equals = line.indexOf("=");
    const name = line.slice(0, equals);
    if (equals > 0 && !OF_ONE_RUN.has(name)) exported[name] = line.slice(equals + 1);
  }
  if (made.exitCode !== 0 || exported["KBUILD_CFLAGS"] === undefined) throw kbuildFailed(tree, made);
  return { tree, arch, environment: bareEnvironment(exported), compiler };
}

/** For a kernel of another machine than this one. */
function crossing({ kernel, toolchain }: Arch): string[] {
  return [`ARCH=${kernel.sources.directory}`, `CROSS_COMPILE=${toolchain.multiarch}-`];
}

/** Runs scripts/Makefile.build for a directory, `.` being the top. */
export async function makeDirectory(
  kbuild: Kbuild,
  directory: string,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<RunResult> {
  const fixed = ["-rR", "--no-print-directory", "-f", "scripts/Makefile.build", `obj=${directory}`];
  return await run("make", [...fixed, ...args], {
    cwd: kbuild.tree,
    env: kbuild.environment,
    signal,
    maxOutput: 512 << 20,
  });
}

/** `KBUILD_FAILED`, with the last lines of what make said. */
export function kbuildFailed(tree: string, result: RunResult): SutureError {
  return new SutureError("KBUILD_FAILED", "the kernel's makefiles cannot be used", {
    where: tree,
    hint: result.stderr.trim().split("\n").slice(-5).join("\n"),
  });
}

/** Nothing of the user's environment but what is needed to find programs: it would change what kbuild says. */
function bareEnvironment(exported: Readonly<Record<string, string>>): Readonly<Record<string, string | undefined>> {
  const gone: Record<string, undefined> = {};
  for (const name of Object.keys(process.env)) gone[name] = undefined;
  const { PATH, HOME, TMPDIR } = process.env;
  return { ...gone, ...exported, PATH, HOME, TMPDIR, LC_ALL: "C" };
}
