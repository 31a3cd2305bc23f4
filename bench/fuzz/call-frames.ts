import type { Section } from "../../src/dwarf/cursor.ts";
import { allFdes, type Fde } from "../../src/dwarf/entries.ts";
import { evaluate } from "../../src/dwarf/expression.ts";
import { tableWithSearch } from "../../src/dwarf/frame-table.ts";
import { rowAt, rowsOf } from "../../src/dwarf/rows.ts";
import { readSearchTable, starts } from "../../src/dwarf/search-table.ts";
import { linkedFromC } from "../../src/elf/compiled.fixture.ts";
import { readElf } from "../../src/elf/read.ts";
import { LITTLE } from "../../src/elf/words.ts";
import { SutureError } from "../../src/lib/error.ts";
import type { FuzzParser, FuzzSeed } from "./parser.ts";

const COLUMNS = 17;
const ADDRESS = 0x10_0000;

/** Realigned stacks and the linkage table have expressions. */
const SOURCE = `
int other(int *a);
int f(int n) { int a[16] __attribute__((aligned(64))); char b[n]; b[0] = 1; return other(a) + b[n - 1]; }
int g(int n) { int a[n]; return other(a) + other(a); }
`;

/** The seed is a length of 4 bytes, .eh_frame_hdr of that length, and .eh_frame: each read in every way there is. */
export const callFrames: FuzzParser = {
  name: "call-frames",
  seeds: () => [[], ["-fno-asynchronous-unwind-tables", "-fexceptions"]].map((options) => seedOf(options)),
  run(data) {
    const split = data.length < 4 ? 4 : 4 + Math.min(data.readUInt32LE(0), data.length - 4);
    const hdr: Section = { name: "input", data: data.subarray(4, split), words: LITTLE, address: ADDRESS };
    const ehFrame: Section = { name: "input", data: data.subarray(split), words: LITTLE, address: ADDRESS + split - 4 };
    let refused: unknown;
    const attempt = (step: () => void): void => {
      try {
        step();
      } catch (error) {
        if (!(error instanceof SutureError)) throw error;
        refused = error;
      }
    };
    attempt(() => {
      for (const fde of allFdes(ehFrame, new Map(), {})) attempt(() => lookAt(fde));
    });
    attempt(() => {
      const search = readSearchTable(hdr);
      const table = tableWithSearch(ehFrame, search);
      for (const address of [...starts(search)].slice(0, 100)) attempt(() => void table.find(address));
      for (let address = ADDRESS - 0x2000; address < ADDRESS; address += 0x101) attempt(() => void table.find(address));
    });
    if (refused !== undefined) throw refused;
  },
};

const MACHINE = { words: LITTLE, register: (): bigint => 7n, memory: (address: bigint): bigint => address * 3n };

function lookAt(fde: Fde): void {
  const rows = rowsOf(fde, COLUMNS);
  rowAt(rows, fde.start);
  for (const { cfa, registers } of rows) {
    if (cfa.kind === "expression") evaluate(cfa.expression, MACHINE);
    for (const rule of registers)
      if (rule !== undefined && "expression" in rule) evaluate(rule.expression, MACHINE, [7n]);
  }
}

function seedOf(options: readonly string[]): FuzzSeed {
  const all = ["-shared", "-fPIC", "-nostdlib", "-O1", "-Wl,-z,noseparate-code", ...options];
  const file = readElf(linkedFromC(SOURCE, ...all), "seed");
  const section = (name: string) => {
    const found = file.sections.find((each) => each.name === name);
    if (found === undefined) throw new Error(`no ${name} in the seed`);
    return found;
  };
  const [search, frames] = [section(".eh_frame_hdr"), section(".eh_frame")];
  // The table's distances are as the linker has placed the two, which leaves room between them or does not.
  const hdr = Buffer.concat([search.data], Number(frames.address - search.address));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(hdr.length);
  const data = Buffer.concat([length, hdr, frames.data]);
  return { data, hot: [[4 + hdr.length, data.length]] };
}
