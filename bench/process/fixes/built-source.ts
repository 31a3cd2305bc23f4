/** A source package, built once as Debian builds it, with what was compiled written down. */
import { appendFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { silentProgress } from "../../../src/lib/progress.ts";
import { buildSource } from "../../../src/provider/debian/build-source.ts";
import type { CompileCommand } from "../../../src/provider/program/command-line.ts";
import { type Archive, plain } from "./archive.ts";
import type { SourcePackage } from "./fix.ts";

export interface BuiltSource {
  /** The unpacked source, with Debian's patches and what the build made. */
  readonly tree: string;
  /** A compile_commands.json. */
  readonly commands: string;
}

/**
 * Below `directory`, where it is kept for the next time.
 * @param shipped files that Debian made of it, which are patched
 */
export async function builtSource(
  archive: Archive,
  source: SourcePackage,
  directory: string,
  shipped: readonly string[],
): Promise<BuiltSource> {
  const { name, version } = source;
  const place = join(directory, plain(`${name}_${version}`));
  const done = join(place, "built.json");
  const known = await readFile(done, "utf8").catch(() => undefined);
  if (known !== undefined) return JSON.parse(known) as BuiltSource;
  await rm(place, { recursive: true, force: true });
  await mkdir(place, { recursive: true });
  await archive.sources.unpack(name, version, place);
  const unpacked = (await readdir(place, { withFileTypes: true })).find((each) => each.isDirectory());
  const tree = join(place, unpacked?.name ?? name);
  await appendFile(join(tree, "debian/rules"), source.rules ?? "");
  const recorded = await buildSource(tree, {
    name: `${name} ${version}`,
    archive: archive.sources,
    jobs: availableParallelism(),
    log: join(place, "build.log"),
    shipped,
    target: source.target,
    options: source.options,
    progress: silentProgress,
    signal: undefined,
  });
  const commands = join(place, "compile_commands.json");
  await writeFile(commands, JSON.stringify(recorded.map(entryOf), undefined, 1));
  const built: BuiltSource = { tree, commands };
  await writeFile(done, JSON.stringify(built));
  return built;
}

/** As the JSON compilation database has it. */
function entryOf({ compiler, directory, source, args, object }: CompileCommand): unknown {
  const output = object === undefined ? [] : ["-o", object];
  return { directory, file: source, arguments: [compiler, ...args, "-c", ...output, source] };
}
