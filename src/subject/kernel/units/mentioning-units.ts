/**
 * Of very many units that may read a changed header, those that have any of the names by which it could reach them.
 * The others need not be preprocessed in full; docs/reach.md has the argument.
 */
import { join } from "node:path";
import type { AskOptions } from "../../../builder/reached-units.ts";
import type { Cache } from "../../../lib/cache.ts";
import { textIfThere } from "../../../lib/if-there.ts";
import { throwIfAborted } from "../../../lib/interrupt.ts";
import { mapParallel } from "../../../lib/parallel.ts";
import type { Kernel } from "../../../provider/kernel/kernel.ts";
import type { Unit } from "../../../provider/kernel/unit.ts";
import type { Compiler } from "../../../provider/toolchain/compiler.ts";
import type { ChangedFile } from "../../../source/diffs/diff-input.ts";
import { type FileFacts, factsOf } from "../../../source/mention/file-facts.ts";
import { indexOf, type SourceIndex } from "../../../source/mention/source-index.ts";
import { type ChangedHeader, touchedBy } from "../../../source/mention/touched.ts";
import { leavesOutUnused } from "../../../source/reach/emission.ts";
import { changesDigest, changesOf } from "../../../source/tree.ts";
import { assemblyIn } from "./assembly-files.ts";
import type { IncludeGraph } from "./include-graph.ts";
import { openPoison } from "./poison.ts";

/** To be raised when other units are found for the same change. */
const RULE = "2";

interface MentionOptions extends AskOptions {
  readonly cache: Cache;
  readonly compiler: Compiler;
}

/** What may be reached: units by object, and by which file each may be. */
export interface Readers {
  readonly units: ReadonlyMap<string, Unit>;
  readonly graph: IncludeGraph;
}

/** The objects of the units that are to be asked, and how many names the change has by which it can be seen. */
export interface Mentioning {
  readonly asked: readonly string[];
  readonly names: number;
}

/**
 * The units that may be reached by the changes of headers; all of them where a change is not one of a header that
 * is there before and after. The cache keeps which they are, unless the kernel's source may change.
 */
export async function mentioningUnits(
  kernel: Kernel,
  { units, graph }: Readers,
  files: readonly ChangedFile[],
  options: MentionOptions,
): Promise<Mentioning> {
  const { cache, compiler } = options;
  const entry = cache.entry("mentioning", [RULE, kernel.identity, compiler.text, changesDigest(changesOf(files))]);
  const kept = kernel.sourceMayChange ? undefined : await entry.read();
  if (kept !== undefined) return JSON.parse(kept.toString()) as Mentioning;
  const found = await findMentioning(kernel, { units, graph }, files, options);
  if (!kernel.sourceMayChange) await entry.write(JSON.stringify(found));
  return found;
}

async function findMentioning(
  kernel: Kernel,
  { units, graph }: Readers,
  files: readonly ChangedFile[],
  options: MentionOptions,
): Promise<Mentioning> {
  const all = [...units.values()];
  const { headers, others } = await headersOf(files, graph, all);
  const index = await readWords(kernel, graph, options);
  const sources = new Set([...all.map(({ source }) => source), ...assemblyIn(kernel.source, kernel.arch)]);
  const { names, asked } = touchedBy(headers, index, (path) => sources.has(path) || !path.endsWith(".h"));
  const paths = [...[...asked].map((file) => index.data.files[file] as string), ...others];
  const reached = new Set([...paths, ...graph.readersOf(paths)]);
  const isAsked = ({ source, args }: Unit): boolean =>
    reached.has(source) || !source.endsWith(".c") || !leavesOutUnused(args) || mentions(args, names);
  const [sure, rest] = [all.filter(isAsked), all.filter((unit) => !isAsked(unit))];
  if (names.size === 0) return { asked: objectsOf(sure), names: 0 };
  options.progress.step(`look for ${names.size} names in ${rest.length} files`);
  await using poison = await openPoison(names, kernel, options.compiler);
  let done = 0;
  const isMade = await mapParallel(
    rest,
    options.jobs,
    async (unit, _, signal) => {
      const made = await poison.isMadeIn(unit, paths, signal);
      options.progress.tick(++done, rest.length);
      return made;
    },
    options.signal,
  );
  return { asked: objectsOf([...sure, ...rest.filter((_, i) => isMade[i])]), names: names.size };
}

function objectsOf(units: readonly Unit[]): string[] {
  return units.map(({ object }) => object);
}

/** `others`: what changes and is read in another way. */
async function headersOf(files: readonly ChangedFile[], graph: IncludeGraph, units: readonly Unit[]) {
  const headers: ChangedHeader[] = [];
  const others: string[] = [];
  const own = new Set(units.map(({ source }) => source));
  for (const { path, kind, original, patched } of files) {
    if (kind === "header" && original !== undefined && patched !== undefined) headers.push({ path, original, patched });
    else {
      others.push(path);
      for (const each of graph.readersOf([path], original === undefined ? [path] : []))
        if (own.has(each)) others.push(each);
    }
  }
  return { headers, others };
}

async function readWords(kernel: Kernel, graph: IncludeGraph, options: MentionOptions): Promise<SourceIndex> {
  const read = (path: string): Buffer => Buffer.from(textIfThere(join(kernel.source, path)), "latin1");
  options.progress.step("reading the words of all files");
  const facts: FileFacts[] = [];
  for (const [i, path] of graph.files.entries()) {
    if (i % 200 === 0) {
      throwIfAborted(options.signal);
      options.progress.tick(i, graph.files.length);
      // Lets signals and timers in.
      await new Promise((resume) => setImmediate(resume));
    }
    facts.push(factsOf(read(path)));
  }
  return indexOf(graph.files, facts, read);
}

function mentions(args: readonly string[], names: ReadonlySet<string>): boolean {
  return args.some(
    (arg) => arg.startsWith("-D") && (arg.match(/[A-Za-z_]\w*/g) ?? []).some((word) => isNamed(word, names)),
  );
}

function isNamed(word: string, names: ReadonlySet<string>): boolean {
  return names.has(word) || names.has(word.slice(1));
}
