/** Makes ready what a fix is tried on: the program without it, its source, its diffs. */
import { existsSync, realpathSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Cache } from "../../../src/lib/cache.ts";
import { type Archive, plain } from "./archive.ts";
import { builtSource } from "./built-source.ts";
import { codeOf } from "./code-of-diff.ts";
import { cutFrom } from "./cut.ts";
import type { Fix, FixDiff, SourcePackage } from "./fix.ts";
import { leaveOut, putBack } from "./left-out.ts";
import type { Ready } from "./try-fix.ts";

/** What is built for fixes is kept here, for all benches. */
export async function workshopDirectory(cache: Cache): Promise<string> {
  const directory = join(cache.directory, "bench/process-fixes");
  await mkdir(directory, { recursive: true });
  return directory;
}

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
    const root = before.kind === "stock" ? await this.#archive.unpacked(before.packages) : undefined;
    const shipped = root === undefined || before.kind !== "stock" ? [] : [realpathSync(join(root, before.object))];
    const built = await builtSource(this.#archive, source, this.#directory, shipped);
    if (before.kind === "left-out") await putBack(built.tree, before.rebuild);
    const diffs = await this.#diffs(fix, built.tree);
    if (root !== undefined && before.kind === "stock") {
      const object = realpathSync(join(root, before.object));
      const buildArgs = ["--compile-commands", built.commands, "--exe", object, "--source", built.tree];
      return {
        place: { root, program: programIn([root]), libraries: librariesIn(root).join(":") },
        object,
        diffs,
        buildArgs,
      };
    }
    if (before.kind !== "left-out") throw new Error(`${fix.id} has nothing to be patched`);
    const { rebuild } = before;
    const others = source.with === undefined ? [] : [await this.#archive.unpacked(source.with)];
    const name = rebuild.as ?? basename(rebuild.program);
    const programs = join(this.#directory, plain(`${source.name}_without_${fix.id}`));
    await mkdir(programs, { recursive: true });
    const object = join(programs, name);
    await leaveOut(built.tree, diffs, rebuild, object);
    const below = join(built.tree, rebuild.below ?? ".");
    const buildArgs = ["--compile-commands", built.commands, "--exe", object, "--source", below];
    const program = (wanted: string) => (wanted === name ? object : programIn(others)(wanted));
    const libraries = [programs, ...others.flatMap(librariesIn)].join(":");
    return { place: { root: others[0] ?? programs, program, libraries }, object, diffs, buildArgs };
  }

  /** @param tree the source, with the fix where it has it at all */
  async #diffs({ id, source, diffs }: Fix, tree: string): Promise<string[]> {
    const own = join(this.#directory, plain(`${source.name}_${id}.diffs`));
    await mkdir(own, { recursive: true });
    return await Promise.all(
      diffs.map(async (diff, i) => {
        if (typeof diff === "string") {
          const published = join(await this.#archive.patches(source), diff);
          const text = await readFile(published, "utf8");
          const path = join(own, diff);
          await writeFile(path, codeOf(text));
          return path;
        }
        const path = join(own, diff.kind === "changed" ? `${id}-${i}.patch` : diff.name);
        await writeFile(path, await this.#textOf(diff, source, tree));
        return path;
      }),
    );
  }

  async #textOf(diff: Exclude<FixDiff, string>, source: SourcePackage, tree: string): Promise<string> {
    if (diff.kind === "upstream") return diff.text;
    return diff.kind === "cut" ? await cutFrom(tree, diff) : await this.#archive.changed(source, diff.files);
  }
}

/** Where packages that are unpacked have a program. */
export function programIn(roots: readonly string[]): (name: string) => string {
  return (name) => {
    const paths = roots.flatMap((root) => PROGRAMS.map((directory) => join(root, directory, name)));
    const path = paths.find((each) => existsSync(each));
    if (path === undefined) throw new Error(`none of the packages has ${name}: ${paths.join(", ")}`);
    return path;
  };
}

/** Debian's places for libraries of this architecture. */
export function librariesIn(root: string): string[] {
  return ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"]
    .map((directory) => join(root, directory))
    .filter((directory) => existsSync(directory));
}
