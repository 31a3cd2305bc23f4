/** Livepatches that cannot be beside each other: code of one was compiled by what it knew of a function that the other replaces. */
import type { ProgramObjectRecord } from "../../patch/program-metadata.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";

interface Part {
  readonly buildId: string;
  readonly funcs: readonly { readonly name: string; readonly source: string }[];
  readonly relies?: ProgramObjectRecord["relies"];
}

interface Loaded {
  readonly name: string;
  readonly objects: readonly Part[];
}

/** Reasons not to load a livepatch beside those that are loaded, enabled or not. */
export function relianceRefusals(next: Loaded, loaded: readonly Loaded[]): Refusal[] {
  return loaded
    .filter(({ name }) => name !== next.name)
    .flatMap((there) => {
      const pairs = next.objects.flatMap((part) =>
        there.objects.filter(({ buildId }) => buildId === part.buildId).map((other) => ({ part, other })),
      );
      const found = pairs.flatMap(({ part, other }) => [
        ...replacedOf(part, other).map(({ name }) => ({ name, by: there.name, of: next.name })),
        ...replacedOf(other, part)
          .filter((each) => !isCovered(each, other, part))
          .map(({ name }) => ({ name, by: next.name, of: there.name })),
      ]);
      const [first] = found;
      if (first === undefined) return [];
      const { name, by, of } = first;
      return refusal(
        "RELIES_ON_REPLACED",
        `${of} calls ${name} and was compiled by what ${name} did before, and ${by} replaces it`,
        `${next.name}, beside ${there.name}`,
        `build one livepatch of both diffs, which replaces ${there.name}`,
      );
    });
}

type Named = { readonly source: string; readonly name: string };

const key = ({ source, name }: Named): string => `${source} ${name}`;

function replacedOf(relying: Part, replacing: Part): Named[] {
  const replaced = new Set(replacing.funcs.map(key));
  return (relying.relies ?? []).filter((each) => replaced.has(key(each)));
}

/** Whether the new one brings all functions of a file anew that the one below it has: what these rely on does not matter then. */
function isCovered({ source }: Named, below: Part, above: Part): boolean {
  const anew = new Set(above.funcs.map(key));
  return below.funcs.filter((func) => func.source === source).every((func) => anew.has(key(func)));
}
