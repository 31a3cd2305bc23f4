/** Objects as the build of an s390x kernel makes them, from small sources. */
import { crossCompiled } from "../../elf/compiled.fixture.ts";
import type { ElfFile } from "../../elf/model.ts";
import { readElf } from "../../elf/read.ts";

const COMPILER = "s390x-linux-gnu-gcc-12";

/** Source: the kernel's arch/s390/Makefile. */
const FLAGS = [
  ...["-O2", "-std=gnu11", "-march=z10", "-mpacked-stack", "-mbackchain", "-msoft-float", "-fPIE"],
  ...["-pg", "-mfentry", "-mnop-mcount", "-mrecord-mcount", "-ffunction-sections", "-fdata-sections"],
  ...["-fno-asynchronous-unwind-tables", "-fno-strict-aliasing", "-fno-common", "-fno-stack-protector"],
  ...["-ffreestanding", "-Wno-attributes"],
];

/** @param options more for the compiler, behind the usual ones */
export function compiledForS390x(source: string, ...options: string[]): ElfFile {
  return readElf(crossCompiled(COMPILER, source, ...FLAGS, ...options), "unit.c");
}
