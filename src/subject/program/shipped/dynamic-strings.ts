/** What the dynamic section of a linked file says of the libraries that it needs, and of itself as one. */

import { PT, SHT } from "../../../elf/constants.ts";
import type { ElfFile } from "../../../elf/model.ts";
import { wordsOf } from "../../../elf/words.ts";

const FLAGS_1 = 0x6ffffffb;
const DF_1_PIE = 0x0800_0000n;

/** d_tag, of what is text */
const DT = { NEEDED: 1, SONAME: 14, RPATH: 15, RUNPATH: 29 } as const;

/** Strings of the dynamic section; none where a file is not dynamically linked. */
export interface DynamicStrings {
  readonly soname: string | undefined;
  readonly needed: readonly string[];
  /** Directories of RPATH and RUNPATH, as they are written: `$ORIGIN` is the file's own. */
  readonly runPaths: readonly string[];
  /** It is no executable: neither one with a dynamic linker nor a static one that finds its own place. */
  readonly isLibrary: boolean;
}

/** What lies outside of the string table counts as empty. */
export function dynamicStrings(file: ElfFile): DynamicStrings {
  const section = file.sections.find(({ type }) => type === SHT.DYNAMIC);
  const strings = file.sections[section?.link ?? 0]?.data;
  const needed: string[] = [];
  const runPaths: string[] = [];
  let soname: string | undefined;
  if (section === undefined || strings === undefined) return { soname, needed, runPaths, isLibrary: false };
  const words = wordsOf(file.header.endian);
  let isLibrary = !file.programHeaders.some(({ type }) => type === PT.INTERP);
  for (let at = 0; at + 16 <= section.data.length; at += 16) {
    const tag = words.offset(section.data, at);
    if (tag === FLAGS_1 && (words.u64(section.data, at + 8) & DF_1_PIE) !== 0n) isLibrary = false;
    if (!(Object.values(DT) as number[]).includes(tag)) continue;
    const value = words.size(section.data, at + 8);
    const text = strings.toString("utf8", value, Math.max(value, strings.indexOf(0, value)));
    if (tag === DT.NEEDED) needed.push(text);
    else if (tag === DT.SONAME) soname = text;
    else runPaths.push(...text.split(":").filter((each) => each !== ""));
  }
  return { soname, needed, runPaths, isLibrary };
}
