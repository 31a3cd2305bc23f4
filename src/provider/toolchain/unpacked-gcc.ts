/** gcc out of unpacked packages, in a directory that can be moved: it makes objects, and links no programs. */
import { existsSync } from "node:fs";
import { cp, mkdir, readdir, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SutureError } from "../../lib/error.ts";
import { carryLibraries, writeCarriedScript } from "./carried-libraries.ts";

/** Below a toolchain's directory: what is run as the compiler. */
export const GCC_SCRIPT = "bin/gcc";

/** gcc of one version, unpacked. */
export interface UnpackedGcc {
  /** The directory that stands for the file system's root. */
  readonly root: string;
  /** For instance 14. */
  readonly major: string;
  /** For instance x86_64-linux-gnu. */
  readonly multiarch: string;
}

/**
 * Fills a directory, which is empty, with the driver, the compiler proper, the
 * assembler, their headers and libraries. They find each other by the places
 * they have below /usr. Throws `PACKAGE_UNUSABLE`, `TOOL_DOES_NOT_START`.
 */
export async function layOutGcc({ root, major, multiarch }: UnpackedGcc, into: string, signal?: AbortSignal) {
  const inside = `gcc/${multiarch}/${major}`;
  const driver = `usr/bin/${multiarch}-gcc-${major}`;
  const compiler = oneOf(root, [`usr/libexec/${inside}/cc1`, `usr/lib/${inside}/cc1`]);
  const assembler = `usr/bin/${multiarch}-as`;
  for (const path of [driver, compiler, assembler]) {
    oneOf(root, [path]);
    await mkdir(join(into, dirname(path)), { recursive: true });
    await rename(join(root, path), join(into, path));
  }
  await rename(join(into, assembler), join(into, "usr/bin/as"));
  const headers = `usr/lib/${inside}`;
  for (const name of await readdir(join(root, headers))) {
    if (!name.startsWith("include")) continue;
    await mkdir(join(into, headers), { recursive: true });
    await cp(join(root, headers, name), join(into, headers, name), { recursive: true, verbatimSymlinks: true });
  }
  const programs = [driver, compiler, "usr/bin/as"].map((path) => join(into, path));
  const from = [`usr/lib/${multiarch}`, `lib/${multiarch}`].map((path) => join(root, path));
  const libraries = await carryLibraries(programs, from, join(into, "lib"), signal);
  await writeCarriedScript(libraries, {
    script: join(into, GCC_SCRIPT),
    program: join(into, driver),
    // The driver runs the compiler proper and the assembler the same way.
    more: ["-wrapper", '"$linker,--library-path,$libraries"', '"-B$here/../usr/bin/"'],
  });
}

function oneOf(root: string, paths: readonly string[]): string {
  for (const path of paths) {
    if (existsSync(join(root, path))) return path;
  }
  throw new SutureError("PACKAGE_UNUSABLE", `the packages of the compiler do not hold ${paths.join(" or ")}`, {
    where: root,
    hint: "they are laid out in a way that is not known: install that compiler by hand",
  });
}
