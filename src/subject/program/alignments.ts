/**
 * Types of which a diff changes the boundary that was asked for (`aligned`, `_Alignas`), and nothing else: new
 * code moves such objects by instructions that fault on those which lie as the old one asked for.
 */
import { AT, type Entry, readInfo, TAG } from "../../dwarf/info.ts";
import type { ElfFile } from "../../elf/model.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";

const NAMED: ReadonlySet<number> = new Set([TAG.STRUCTURE, TAG.CLASS, TAG.UNION, TAG.ENUMERATION, TAG.TYPEDEF]);
const NONE = 0;

/** One refusal for each type that both have by one name. Throws what `readInfo` throws. */
export function alignmentRefusals(source: string, original: ElfFile, patched: ElfFile): Refusal[] {
  const before = alignmentsOf(original);
  const refusals: Refusal[] = [];
  for (const [name, after] of alignmentsOf(patched)) {
    const was = before.get(name);
    if (was === undefined || isSame(was, after)) continue;
    refusals.push(
      refusal(
        "DATA_LAYOUT_CHANGED",
        `${name} is aligned to ${boundaries(after)} instead of ${boundaries(was)}; what the running system holds lies as it was asked for`,
        source,
        "leave the type's alignment as it is, and give what needs another one a type of its own",
      ),
    );
  }
  return refusals;
}

/** By the name of a type or member, in bytes; 0 where nothing is asked for. One name can be several types'. */
function alignmentsOf(file: ElfFile): Map<string, Set<number>> {
  const found = new Map<string, Set<number>>();
  const units = readInfo(file);
  const nameless = new Map<number, Entry>();
  const add = (name: string, { attributes }: Entry): void => {
    const known = found.get(name) ?? new Set();
    found.set(name, known.add(Number(attributes.get(AT.ALIGNMENT) ?? NONE)));
  };
  const visit = (entry: Entry, outer: string): void => {
    const own = entry.attributes.get(AT.NAME);
    const isNamed = typeof own === "string" && !entry.attributes.has(AT.DECLARATION);
    const name = isNamed ? `${outer}${own}` : outer;
    if (isNamed && (NAMED.has(entry.tag) || entry.tag === TAG.MEMBER)) add(name, entry);
    if (!isNamed && NAMED.has(entry.tag)) nameless.set(entry.offset, entry);
    const isScope = NAMED.has(entry.tag) || entry.tag === TAG.NAMESPACE;
    for (const child of entry.children) visit(child, isScope && name !== "" ? `${name}.` : "");
  };
  const name = (entry: Entry): void => {
    const target = entry.tag === TAG.TYPEDEF ? nameless.get(Number(entry.attributes.get(AT.TYPE))) : undefined;
    const own = entry.attributes.get(AT.NAME);
    if (target !== undefined && typeof own === "string") {
      add(own, target);
      for (const child of target.children) visit(child, `${own}.`);
    }
    for (const child of entry.children) name(child);
  };
  for (const unit of units) for (const entry of unit.children) visit(entry, "");
  for (const unit of units) name(unit);
  return found;
}

function isSame(a: ReadonlySet<number>, b: ReadonlySet<number>): boolean {
  return a.size === b.size && [...a].every((each) => b.has(each));
}

function boundaries(of: ReadonlySet<number>): string {
  return [...of].map((each) => (each === NONE ? "its natural boundary" : `${each} bytes`)).join(" or ");
}
