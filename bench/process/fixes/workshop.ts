/** Makes ready what a fix is tried on: the program without it, its source, its diffs. */
import { existsSync, readdirSync, realpathSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { type Archive, plain } from "./archive.ts";
import { builtSource } from "./built-source.ts";
import type { Fix } from "./fix.ts";
import { leaveOut, putBack } from "./left-out.ts";
import type { Ready } from "./try-fix.ts";

const PROGRAMS = ["usr/bin", "usr/sbin", "usr/lib/x86_64-linux-gnu"];

export class Workshop {
  readonly #archive: Archive;
  readonly #directory: string;

  constructor(archive: Archive, directory: string) {
    this.#archive = archive;
    this.#directory = directory;
  }

  /** Whatever the last fix left out is back in the source afterwards. */
  async ready(fix: Fix): Promise<Ready> {
    const { source, before } = fix;
    const built = await builtSource(this.#archive, source, this.#directory);
    const patches = await this.#archive.patches(source);
    const diffs = fix.diffs.map((name) => join(patches, name));
    if (before.kind === "stock") {
      const root = await this.#archive.unpacked(before.packages);
      const object = realpathSync(join(root, before.object));
      const buildArgs = ["--compile-commands", built.commands, "--exe", object, "--source", built.tree];
      return { place: { program: programIn([root]), libraries: librariesIn(root) }, object, diffs, buildArgs };
    }
    const { rebuild } = before;
    const others = source.with === undefined ? [] : [await this.#archive.unpacked(source.with)];
    const name = basename(rebuild.program);
    const programs = join(this.#directory, plain(`${source.name}_without_${fix.diffs.join("+")}`));
    await mkdir(programs, { recursive: true });
    const object = join(programs, name);
    await putBack(built.tree, rebuild);
    await leaveOut(built.tree, diffs, rebuild, object);
    const root = join(built.tree, rebuild.below ?? ".");
    const buildArgs = ["--compile-commands", built.commands, "--exe", object, "--source", root];
    const program = (wanted: string) => (wanted === name ? object : programIn(others)(wanted));
    return { place: { program, libraries: others.map(librariesIn).join(":") }, object, diffs, buildArgs };
  }
}

function programIn(roots: readonly string[]): (name: string) => string {
  return (name) => {
    const paths = roots.flatMap((root) => PROGRAMS.map((directory) => join(root, directory, name)));
    const path = paths.find((each) => existsSync(each));
    if (path === undefined) throw new Error(`none of the packages has ${name}: ${paths.join(", ")}`);
    return path;
  };
}

/** Debian's place for libraries of this architecture. */
function librariesIn(root: string): string {
  const directory = join(root, "usr/lib/x86_64-linux-gnu");
  return existsSync(directory) && readdirSync(directory).length > 0 ? directory : root;
}
