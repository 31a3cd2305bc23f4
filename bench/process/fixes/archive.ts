/** What fixes are tried on, from Debian's archive: patches of one version, programs of another. Nothing is installed. */
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../../src/lib/run.ts";
import type { SourceArchive } from "../../../src/provider/debian/source-archive.ts";
import { unpackPackage } from "../../../src/provider/debian/unpack-packages.ts";
import type { SourcePackage, StockPackage } from "./fix.ts";

export class Archive {
  readonly sources: SourceArchive;
  readonly #directory: string;
  /** Of this run. */
  readonly #filled = new Map<string, Promise<string>>();

  /** What is fetched is kept below `directory`. */
  constructor(sources: SourceArchive, directory: string) {
    this.sources = sources;
    this.#directory = directory;
  }

  /** The directory with the patches that a version of the source carries. */
  async patches({ name, patchesFrom }: SourcePackage): Promise<string> {
    const directory = await this.#once(`${name}_${patchesFrom}.patches`, async (path) => {
      await this.#apt(["-q", "--only-source", "--download-only", "source", `${name}=${patchesFrom}`], path);
      const file = (await readdir(path)).find((each) => each.includes(".debian.tar."));
      await run("tar", ["-xf", file ?? "", "debian/patches"], { cwd: path, check: true });
    });
    return join(directory, "debian/patches");
  }

  /** A diff of what two versions of the source have in some files, Debian's patches applied. */
  async changed({ name, version, patchesFrom }: SourcePackage, files: readonly string[]): Promise<string> {
    const [before, after] = await Promise.all([version, patchesFrom].map((each) => this.#source(name, each)));
    const parts = files.map(async (file) => {
      const labels = ["--label", `a/${file}`, "--label", `b/${file}`];
      const paths = [before, after].map((tree) => join(tree ?? "", file));
      return (await run("diff", ["-u", ...labels, ...paths])).stdout;
    });
    return (await Promise.all(parts)).join("");
  }

  async #source(name: string, version: string): Promise<string> {
    const directory = await this.#once(`${name}_${version}.source`, (path) => this.sources.unpack(name, version, path));
    const tree = (await readdir(directory, { withFileTypes: true })).find((each) => each.isDirectory());
    return join(directory, tree?.name ?? name);
  }

  /** Binary packages, unpacked into one tree. */
  async unpacked(packages: readonly StockPackage[]): Promise<string> {
    const specs = packages.map(({ name, version }) => (version === undefined ? name : `${name}=${version}`));
    return await this.#once(specs.join("+"), async (path) => {
      const debs = join(path, "DEBS");
      await mkdir(debs);
      await this.#apt(["-q", "download", ...specs], debs);
      for (const file of await readdir(debs)) await unpackPackage(join(debs, file), path);
      await rm(debs, { recursive: true });
    });
  }

  /** A directory that `fill` fills, the first time that it is asked for. */
  async #once(name: string, fill: (path: string) => Promise<void>): Promise<string> {
    const known = this.#filled.get(name) ?? this.#fill(name, fill);
    this.#filled.set(name, known);
    return await known;
  }

  async #fill(name: string, fill: (path: string) => Promise<void>): Promise<string> {
    const path = join(this.#directory, plain(name));
    if (existsSync(path)) return path;
    const temporary = `${path}.new`;
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary, { recursive: true });
    await fill(temporary);
    await rename(temporary, path);
    return path;
  }

  async #apt(args: readonly string[], cwd: string): Promise<void> {
    await run("apt-get", [...this.sources.options, ...args], { cwd, check: true });
  }
}

/** As a name in a directory that programs, and paths of libraries, can hold. */
export function plain(name: string): string {
  return name.replace(/[^\w.+-]/g, "_").slice(0, 200);
}
