/** Fills in the BTF ids of a unit of vmlinux, as the kernel's build does when it links (its tool is resolve_btfids). */

import type { Btf, BtfKind, TypeId } from "../../btf/types.ts";
import { BTF_IDS, type SetShape, setShape, wantedId } from "../../diff/btf-ids.ts";
import type { ElfFile, ElfSection, ElfSymbol } from "../../elf/model.ts";
import { type Words, wordsOf } from "../../elf/words.ts";

/** Whether the diff changes what is in a list; no ids have to be known otherwise. */
export function changesBtfIds(original: ElfFile, patched: ElfFile): boolean {
  return listsOf(original) !== listsOf(patched);
}

/** All that is listed, in order, as text. */
function listsOf(file: ElfFile): string {
  const section = sectionOf(file);
  if (section === undefined) return "";
  const symbols = symbolsIn(file, section).toSorted((a, b) => Number(a.value - b.value));
  return symbols.map(({ name, value }) => `${value} ${name.replace(/\d+$/, "")}`).join("\n");
}

/** The file with its ids. A set of which one id is not to be had stays as the compiler left it. */
export function withBtfIds(file: ElfFile, btf: Btf): ElfFile {
  const section = sectionOf(file);
  if (section === undefined) return file;
  const data = Buffer.from(section.data);
  const words = wordsOf(file.header.endian);
  const symbols = symbolsIn(file, section);
  for (const { name, value } of symbols) {
    const wanted = wantedId(name);
    const at = Number(value);
    if (wanted !== undefined && at + 4 <= data.length) words.setU32(data, at, idOf(wanted, btf));
  }
  for (const { name, value, size } of symbols) {
    const shape = setShape(name);
    const end = Number(value) + Number(size);
    if (shape !== undefined && end <= data.length) fillSet(data.subarray(Number(value), end), shape, words);
  }
  const sections = file.sections.map((each) => (each === section ? { ...each, data } : each));
  return { ...file, sections };
}

function fillSet(set: Buffer, { header, entry }: SetShape, words: Words): void {
  const entries: Buffer[] = [];
  for (let at = header; at + entry <= set.length; at += entry) entries.push(Buffer.from(set.subarray(at, at + entry)));
  if (entries.length === 0 || entries.some((each) => words.u32(each, 0) === 0)) return;
  entries.sort((a, b) => words.u32(a, 0) - words.u32(b, 0));
  words.setU32(set, 0, entries.length);
  for (const [i, each] of entries.entries()) each.copy(set, header + i * entry);
}

/** 0 where there is no such type. */
function idOf({ kind, name }: { readonly kind: string; readonly name: string }, btf: Btf): TypeId | 0 {
  const [id] = btf.findByName(name, kind === "func" ? "function" : (kind as BtfKind));
  return id ?? 0;
}

function sectionOf(file: ElfFile): ElfSection | undefined {
  return file.sections.find(({ name }) => name === BTF_IDS);
}

function symbolsIn(file: ElfFile, { index }: ElfSection): ElfSymbol[] {
  return file.symbols.filter(({ place }) => place.kind === "section" && place.section === index);
}
