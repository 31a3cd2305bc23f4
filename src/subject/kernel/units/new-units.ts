/** How a new C file would be compiled: as its neighbours on the same list of its Makefile are. */
import { dirname, join, normalize, parse } from "node:path";
import type { Kernel } from "../../../provider/kernel/kernel.ts";
import { compiledLike, type Unit } from "../../../provider/kernel/unit.ts";
import { unitsIn } from "../../../provider/kernel/units-file.ts";
import type { ChangedMakefile } from "../../../source/diffs/diff-input.ts";
import { type ObjectLine, objectLines } from "../../../source/diffs/makefile-objects.ts";

/** What becomes of a file that a diff adds. `unknown` is refused. */
export type NewUnit =
  | { readonly kind: "unit"; readonly unit: Unit }
  /** By the configuration. */
  | { readonly kind: "not-built" }
  | { readonly kind: "unknown"; readonly why: string };

/** By the source's path. */
export async function newUnits(kernel: Kernel, makefiles: readonly ChangedMakefile[]): Promise<Map<string, NewUnit>> {
  const units = new Map<string, NewUnit>();
  for (const { path, patched, change } of makefiles)
    for (const line of change.added)
      units.set(
        normalize(join(dirname(path), line.object.replace(/o$/, "c"))),
        await newUnit(kernel, path, patched, line),
      );
  return units;
}

async function newUnit(kernel: Kernel, makefile: string, text: string, { list, object }: ObjectLine): Promise<NewUnit> {
  const config = kernel.config();
  const [, base = "", option] = /^(.*?)-(?:y|objs|\$\(CONFIG_(\w+)\))$/.exec(list) ?? [];
  const value = option === undefined ? "y" : config.get(option);
  if (value === undefined) return { kind: "not-built" };
  if (value === "m" && base === "obj") return { kind: "unknown", why: "is to be a module of its own" };
  if (base === "lib") return { kind: "unknown", why: "goes into an archive, of which the linker takes what it needs" };
  const { name } = parse(object);
  if (new RegExp(`_${name.replace(/[.+]/g, "\\$&")}\\.o\\b`).test(text))
    return { kind: "unknown", why: "has options of its own in the Makefile" };
  const directory = dirname(makefile);
  const here = dirname(normalize(join(directory, object)));
  const isOn = (line: ObjectLine): boolean => {
    const [, its = "", its_option] = /^(.*?)-(?:y|objs|\$\(CONFIG_(\w+)\))$/.exec(line.list) ?? [];
    return its === base && (its_option === undefined || config.get(its_option) === "y");
  };
  const beside = new Set(
    objectLines(text)
      .filter((line) => isOn(line) && line.object !== object)
      .map((line) => normalize(join(directory, line.object))),
  );
  const near = (await unitsIn(kernel, here)).filter(
    (unit) => beside.has(unit.object) && unit.lands.kind !== "elsewhere",
  );
  const source = join(here, `${name}.c`);
  const candidates = near.map((unit) => renamed(unit, source, base === "obj"));
  const usual = mostFrequent(candidates.map(({ args, objtool }) => JSON.stringify([args, objtool])));
  const chosen = candidates.find(({ args, objtool }) => JSON.stringify([args, objtool]) === usual);
  if (chosen === undefined) return { kind: "unknown", why: `has no neighbour that is compiled into ${base}` };
  return { kind: "unit", unit: chosen };
}

/** Names that a compile is told of what it is for. */
function renamed(unit: Unit, source: string, isAlone: boolean): Unit {
  const [old, now] = [parse(unit.source).name, parse(source).name];
  const word = (name: string) => name.replace(/[^A-Za-z0-9_]/g, "_");
  const args = unit.args.map((arg) => {
    if (arg.startsWith("-DKBUILD_BASENAME=")) return arg.replace(word(old), word(now));
    if (!isAlone) return arg;
    if (arg.startsWith("-DKBUILD_MODFILE=")) return arg.replace(/[^/"]+"?$/, (end) => end.replace(old, now));
    return /^-D(KBUILD_MODNAME|__KBUILD_MODNAME)=/.test(arg) ? arg.replace(word(old), word(now)) : arg;
  });
  return { ...compiledLike(unit, source), args };
}

function mostFrequent(all: readonly string[]): string | undefined {
  const counts = new Map<string, number>();
  for (const each of all) counts.set(each, (counts.get(each) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0];
}
