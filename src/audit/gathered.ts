/** Sections that the linker gathers, one entry a variable, as a livepatch has them. */
import { plainName, runningName } from "./names.ts";
import type { Named, PlainObject } from "./plain-object.ts";

/**
 * Answers for sections whose entries the linker makes one table of, under their plain
 * names: a livepatch may have them once for each object.
 */
export interface Gathered {
  hasSection(name: string): boolean;
  /**
   * Whether the livepatch has an entry like one of the patched source's that nobody refers to:
   * one that points to the same things, or, where it points to nothing, a variable of its name.
   */
  hasEntry(entry: Named, targets: readonly Named[]): boolean;
}

/** @param objects names of all objects that the livepatch speaks of */
export function gatheredIn(livepatch: PlainObject, objects: ReadonlySet<string>): Gathered {
  const isOf = (section: string, name: string): boolean => section === name || section.startsWith(`${name}.`);
  const pointed = new Map<string, Set<string>>();
  for (const section of livepatch.file.sections) {
    const names = new Set<string>();
    for (const field of livepatch.fieldsIn(section)) {
      const place = livepatch.placeOf(field);
      if (place.kind === "named") names.add(plainName(place.named.name));
      else if (place.kind === "elsewhere") names.add(plainName(runningName(place.name, objects) ?? place.name));
    }
    pointed.set(section.name, new Set([...(pointed.get(section.name) ?? []), ...names]));
  }
  const symbols = new Set(
    livepatch.file.symbols.filter(({ place }) => place.kind === "section").map(({ name }) => plainName(name)),
  );
  return {
    hasSection: (name) => [...pointed.keys()].some((section) => isOf(section, name)),
    hasEntry({ name, section }, targets) {
      if (targets.length === 0) return symbols.has(plainName(name));
      const names = [...pointed].filter(([each]) => isOf(each, section.name)).flatMap(([, each]) => [...each]);
      return targets.every((target) => names.includes(plainName(target.name)));
    },
  };
}
