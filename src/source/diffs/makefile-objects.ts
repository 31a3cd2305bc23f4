/** A Makefile's change that only puts an object on a list, or takes one off. */
import { diffArrays } from "diff/lib/diff/array.js";

/** `proc-y += util.o`: the list is `proc-y`. */
export interface ObjectLine {
  readonly list: string;
  /** As it stands there, relative to the Makefile. */
  readonly object: string;
}

/** The objects that come and go, by the lines of the Makefile that say so. */
export interface ObjectChange {
  readonly added: readonly ObjectLine[];
  readonly removed: readonly ObjectLine[];
}

/** Lists of objects, with a configuration option or without. */
const LIST = /^\s*([\w-]+-(?:y|objs|\$\(CONFIG_\w+\)))\s*(?:\+=|:=|=)\s*(.*)$/;

/** undefined where anything else changes, or where it depends on a condition. */
export function objectChange(original: string, patched: string): ObjectChange | undefined {
  const added: ObjectLine[] = [];
  const removed: ObjectLine[] = [];
  for (const { value, ...part } of diffArrays(linesOf(original), linesOf(patched))) {
    if (!part.added && !part.removed) continue;
    for (const line of value) {
      if (line === "") continue;
      const objects = objectsIn(line);
      if (objects === undefined) return undefined;
      (part.added ? added : removed).push(...objects);
    }
  }
  return { added: without(added, removed), removed: without(removed, added) };
}

/** All objects on lists, in the Makefile's order. */
export function objectLines(text: string): ObjectLine[] {
  return linesOf(text).flatMap((line) => objectsIn(line) ?? []);
}

/** Lines that go on are one; each begins with how deep in conditions it is, unless that is not at all; comments are empty. */
function linesOf(text: string): string[] {
  let depth = 0;
  return text
    .replace(/\\\r?\n/g, " ")
    .split("\n")
    .map((line) => {
      if (/^\s*endif\b/.test(line)) depth--;
      const said = line.replace(/#.*$/, "").trimEnd();
      const shown = depth > 0 && said !== "" ? `${depth}? ${said}` : said;
      if (/^\s*if(n?eq|n?def)\b/.test(line)) depth++;
      return shown;
    });
}

function objectsIn(line: string): ObjectLine[] | undefined {
  const [, list, words = ""] = LIST.exec(line) ?? [];
  if (list === undefined) return undefined;
  const objects = words.split(/\s+/).filter((word) => word !== "");
  if (!objects.every((word) => /^[\w./-]+\.o$/.test(word))) return undefined;
  return objects.map((object) => ({ list, object }));
}

function without(lines: readonly ObjectLine[], others: readonly ObjectLine[]): ObjectLine[] {
  return lines.filter(({ list, object }) => !others.some((other) => other.list === list && other.object === object));
}
