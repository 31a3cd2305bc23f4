/** What a unit exports to modules, and on which terms. Source: include/linux/export.h, and since 6.5 include/linux/export-internal.h. */
import type { Note } from "../patch/metadata.ts";
import type { Unit, UnitSymbol } from "./unit.ts";

/** For a reader, by name: for instance `to modules under the GPL, in the namespace CRYPTO_INTERNAL`. */
function exportsOf(unit: Unit): Map<string, string> {
  const terms = new Map<string, string>();
  for (const { name } of unit.sections) {
    const [, gpl, exported] = /^___ksymtab(_gpl)?\+(.+)$/.exec(name) ?? [];
    if (exported === undefined) continue;
    const namespace = unit.symbols.find((symbol) => symbol.name === `__kstrtabns_${exported}`);
    terms.set(exported, termsOf(gpl === undefined ? "" : "GPL", textAt(namespace, 0)));
  }
  for (const symbol of unit.symbols) {
    const exported = /^__export_symbol_(.+)$/.exec(symbol.name)?.[1];
    if (exported === undefined) continue;
    const license = textAt(symbol, 0);
    terms.set(exported, termsOf(license, textAt(symbol, license.length + 1)));
  }
  return terms;
}

function termsOf(license: string, namespace: string): string {
  const to = license === "" ? "to all modules" : `to modules under the ${license}`;
  return namespace === "" ? to : `${to}, in the namespace ${namespace}`;
}

/** The string at an offset behind a symbol. */
function textAt(symbol: UnitSymbol | undefined, offset: number): string {
  if (symbol?.section === undefined) return "";
  const { data } = symbol.section;
  const start = symbol.value + offset;
  const end = data.indexOf(0, start);
  return start >= data.length || end < 0 ? "" : data.toString("latin1", start, end);
}

/** Each begins with the name. A livepatch changes nothing of what modules can see: that was settled when the kernel was linked. */
export function exportNotes(original: Unit, patched: Unit): Note[] {
  const [before, after] = [exportsOf(original), exportsOf(patched)];
  const notes: Note[] = [];
  for (const [name, terms] of after) {
    const old = before.get(name);
    if (old === undefined)
      notes.push({
        code: "NEW_EXPORT",
        text: `${name} is newly exported: inside the livepatch it is resolved, other modules cannot see it`,
      });
    else if (old !== terms)
      notes.push({
        code: "EXPORT_CHANGED",
        text: `${name} stays exported ${old}, and not ${terms}: modules are linked by what the running kernel has`,
      });
  }
  for (const [name, terms] of before)
    if (!after.has(name))
      notes.push({
        code: "EXPORT_CHANGED",
        text: `${name} stays exported ${terms}: modules are linked by what the running kernel has`,
      });
  return notes;
}

/** Whether a section holds what EXPORT_SYMBOL makes: what changes there is told in a note. */
export function isExportRecord(section: string): boolean {
  return /^_{2,3}k(symtab|crctab)/.test(section) || section === ".export_symbol";
}
