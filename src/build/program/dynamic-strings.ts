/** What the dynamic section of a linked file says in words. */
import { SHT } from "../../elf/constants.ts";
import type { ElfFile } from "../../elf/model.ts";

/** d_tag */
const DT = { NEEDED: 1, SONAME: 14, RPATH: 15, RUNPATH: 29 } as const;

export interface DynamicStrings {
  readonly soname: string | undefined;
  readonly needed: readonly string[];
  /** Directories of RPATH and RUNPATH, as they are written: `$ORIGIN` is the file's own. */
  readonly runPaths: readonly string[];
}

export function dynamicStrings(file: ElfFile): DynamicStrings {
  const section = file.sections.find(({ type }) => type === SHT.DYNAMIC);
  const strings = file.sections[section?.link ?? 0]?.data;
  const needed: string[] = [];
  const runPaths: string[] = [];
  let soname: string | undefined;
  if (section === undefined || strings === undefined) return { soname, needed, runPaths };
  for (let at = 0; at + 16 <= section.data.length; at += 16) {
    const tag = Number(section.data.readBigInt64LE(at));
    if (!(Object.values(DT) as number[]).includes(tag)) continue;
    const value = Number(section.data.readBigUInt64LE(at + 8));
    const text = strings.toString("utf8", value, Math.max(value, strings.indexOf(0, value)));
    if (tag === DT.NEEDED) needed.push(text);
    else if (tag === DT.SONAME) soname = text;
    else runPaths.push(...text.split(":").filter((each) => each !== ""));
  }
  return { soname, needed, runPaths };
}
