/** Module.symvers of a kernel of which the headers are gone: what its image and its modules export, read out of them. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { ElfFile } from "../src/elf/model.ts";
import { readElf } from "../src/elf/read.ts";

/** An entry: three signed distances of 4 bytes, each from its own place: value, name, namespace. */
const ENTRY = 12;

/** @param vmlinux the unpacked image, with its tables of exports */
export function exportsOfImage(vmlinux: ElfFile): string[] {
  return ["", "_gpl"].flatMap((kind) => {
    const table = sectionOf(vmlinux, `__ksymtab${kind}`);
    const sums = sectionOf(vmlinux, `__kcrctab${kind}`);
    return Array.from({ length: table.data.length / ENTRY }, (_, i) => {
      const [name, namespace] = [4, 8].map((field) => {
        const at = i * ENTRY + field;
        return textAt(vmlinux, table.address + BigInt(at + table.data.readInt32LE(at)));
      });
      const how = `EXPORT_SYMBOL${kind.toUpperCase()}`;
      return line(sums.data.readUInt32LE(i * 4), [name ?? "", "vmlinux", how, namespace ?? ""]);
    });
  });
}

/** @param path of the module's file, compressed by xz or not; @param object its path without .ko */
export function exportsOfModule(path: string, object: string): string[] {
  const data = path.endsWith(".xz") ? execFileSync("xz", ["-dc", path], { maxBuffer: 1 << 28 }) : readFileSync(path);
  const elf = readElf(data, path);
  return elf.symbols.flatMap(({ name, value, place }) => {
    const exported = /^__crc_(.+)$/.exec(name)?.[1];
    const at = place.kind === "section" ? elf.sections[place.section] : undefined;
    if (exported === undefined || at === undefined) return [];
    const how = at.name.endsWith("_gpl") ? "EXPORT_SYMBOL_GPL" : "EXPORT_SYMBOL";
    return [line(at.data.readUInt32LE(Number(value)), [exported, object, how, ""])];
  });
}

function line(crc: number, words: readonly string[]): string {
  return [`0x${crc.toString(16).padStart(8, "0")}`, ...words].join("\t");
}

function sectionOf(elf: ElfFile, name: string): ElfFile["sections"][number] {
  const found = elf.sections.find((each) => each.name === name);
  if (found === undefined) throw new Error(`${elf.name} has no ${name}`);
  return found;
}

function textAt(elf: ElfFile, address: bigint): string {
  const section = elf.sections.find(
    (each) => each.address <= address && address < each.address + BigInt(each.data.length),
  );
  if (section === undefined) throw new Error(`${elf.name} has nothing at 0x${address.toString(16)}`);
  const start = Number(address - section.address);
  return section.data.toString("latin1", start, section.data.indexOf(0, start));
}
