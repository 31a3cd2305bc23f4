import {
  copied,
  fromAssembly,
  fromC,
  linkedFromC,
  manySections,
  SAMPLE_C,
  SAMPLE_GROUPS,
} from "../../src/elf/compiled.fixture.ts";
import { SHT } from "../../src/elf/constants.ts";
import { contentsOf } from "../../src/elf/contents.ts";
import { addSection, addSymbol, draftOf } from "../../src/elf/draft.ts";
import { groupsOf } from "../../src/elf/groups.ts";
import { buildIdOf } from "../../src/elf/notes.ts";
import { readElf } from "../../src/elf/read.ts";
import { relocationSections, relocationsOf } from "../../src/elf/relocations.ts";
import { writeElf } from "../../src/elf/write.ts";
import { SutureError } from "../../src/lib/error.ts";
import type { FuzzParser, FuzzSeed } from "./parser.ts";

/** Objects, a shared library and an executable's debug half: read, decoded, written back unedited and edited. */
export const elf: FuzzParser = {
  name: "elf",
  share: 4,
  seeds() {
    const library = linkedFromC("int f(void) { return 1; }", "-shared", "-fPIC", "-nostdlib", "-Wl,-z,noseparate-code");
    const small = fromC("int g(void); int f(void) { return g() + 1; }", "-O1", "-fno-asynchronous-unwind-tables");
    return [
      small,
      small,
      fromC(SAMPLE_C, "-ffunction-sections", "-fno-asynchronous-unwind-tables"),
      fromC("int f(int a) { return a; }", "-g", "-gz"),
      copied(fromC("int f(int a) { return a; }", "-g"), "--compress-debug-sections=zlib-gnu"),
      fromAssembly(SAMPLE_GROUPS),
      library,
      copied(library, "--only-keep-debug"),
    ].map(seedOf);
  },
  run(data) {
    const file = readElf(data, "input");
    let refused: unknown;
    const attempt = (step: () => unknown): void => {
      try {
        step();
      } catch (error) {
        if (!(error instanceof SutureError)) throw error;
        refused = error;
      }
    };
    attempt(() => groupsOf(file));
    attempt(() => buildIdOf(file));
    attempt(() => relocationSections(file));
    for (const section of file.sections) {
      attempt(() => contentsOf(file, section));
      if (section.type === SHT.RELA || section.type === SHT.REL) attempt(() => relocationsOf(file, section));
    }
    attempt(() => {
      const draft = draftOf(file);
      if (!writeElf(draft).equals(data)) throw new Error("written unedited, the file is another one");
      const place = addSection(draft, { name: ".added", data: Buffer.from("added") });
      addSymbol(draft, { name: "added", place });
      const again = readElf(writeElf(draft), "edited");
      if (!again.symbols.some((symbol) => symbol.name === "added")) throw new Error("the added symbol is lost");
    });
    if (refused !== undefined) throw refused;
  },
};

/** A few runs on an object with thousands of sections: what takes more than its share of time shows here. */
export const elfLarge: FuzzParser = {
  name: "elf-large",
  share: 0.01,
  seeds: () => [seedOf(manySections(2000, "w\\@"))],
  run: elf.run,
};

/** The header, the section headers, and the parts that hold indexes. */
function seedOf(data: Buffer): FuzzSeed {
  const file = readElf(data, "seed");
  const headers = Number(data.readBigUInt64LE(40));
  const indexes = file.sections.filter(({ type, data: { length } }) => {
    return length > 0 && [SHT.SYMTAB, SHT.DYNSYM, SHT.RELA, SHT.GROUP, SHT.NOTE].some((each) => each === type);
  });
  return {
    data,
    hot: [
      [0, 64],
      [headers, headers + 64 * file.sections.length],
      [headers, headers + 64 * file.sections.length],
      ...indexes.map(({ offset, size }) => [offset, offset + size] as const),
    ],
  };
}
