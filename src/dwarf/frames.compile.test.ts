import { expect, test } from "vitest";
import { linkedFromC, readelf } from "../elf/compiled.fixture.ts";
import { readElf } from "../elf/read.ts";
import { LITTLE } from "../elf/words.ts";
import type { Section } from "./cursor.ts";
import { allFdes } from "./entries.ts";
import { scannedTable, tableWithSearch } from "./frame-table.ts";
import { type Row, rowAt, rowsOf } from "./rows.ts";
import { readSearchTable } from "./search-table.ts";

const NAMES = "rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 ra".split(" ");
/** An executable with all of the C library that it takes: signal frames, expressions, realigned stacks. */
const PROGRAM = linkedFromC(
  `#include <stdio.h>
   #include <string.h>
   int f(int n) { int a[16] __attribute__((aligned(64))); char b[n]; memset(b, n, n); a[0] = b[1]; return printf("%d", a[0]); }
   int main(int n, char **v) { return f(n) + f(2 * n); }`,
  ...["-O2", "-static", "-Wl,--eh-frame-hdr"],
);

function sections(): { hdr: Section; ehFrame: Section } {
  const file = readElf(PROGRAM, "program");
  const section = (name: string): Section => {
    const found = file.sections.find((each) => each.name === name);
    return { name, data: found?.data ?? Buffer.alloc(0), words: LITTLE, address: Number(found?.address) };
  };
  return { hdr: section(".eh_frame_hdr"), ehFrame: section(".eh_frame") };
}

/** A row as `readelf --debug-dump=frames-interp` writes it, by column; nothing for registers without a rule. */
function written({ cfa, registers }: Row): Record<string, string> {
  const signed = (offset: number): string => (offset < 0 ? String(offset) : `+${offset}`);
  const columns: Record<string, string> = {
    CFA: cfa.kind === "expression" ? "exp" : `${NAMES[cfa.register]}${signed(cfa.offset)}`,
  };
  for (const [register, rule] of registers.entries()) {
    const name = NAMES[register] as string;
    if (rule?.kind === "offset") columns[name] = `c${signed(rule.offset)}`;
    if (rule?.kind === "expression") columns[name] = "exp";
    if (rule?.kind === "value-expression") columns[name] = "vexp";
    if (rule?.kind === "register") columns[name] = `r${rule.register}`;
    if (rule?.kind === "same") columns[name] = "s";
  }
  return columns;
}

/** The rows that readelf computes, by function and location. */
function expectedRows(): Map<string, Map<number, Record<string, string>>> {
  const functions = new Map<string, Map<number, Record<string, string>>>();
  let rows: Map<number, Record<string, string>> | undefined;
  let columns: string[] = [];
  for (const line of readelf(PROGRAM, "--debug-dump=frames-interp").split("\n")) {
    const fde = / FDE .*pc=([0-9a-f]+)\.\.([0-9a-f]+)/.exec(line);
    if (fde !== null) {
      rows = new Map();
      functions.set(`${Number.parseInt(fde[1] as string, 16)}`, rows);
    } else if (/ CIE /.test(line)) rows = undefined;
    else if (line.startsWith("   LOC")) columns = line.trim().split(/\s+/);
    else if (/^[0-9a-f]{16} /.test(line) && rows !== undefined) {
      const [location = "", ...cells] = line
        .replace(/ \(r\w+\)/g, "")
        .trim()
        .split(/\s+/);
      const row = Object.fromEntries(cells.map((cell, index) => [columns[index + 1] as string, cell]));
      for (const [name, cell] of Object.entries(row)) if (cell === "u") delete row[name];
      rows.set(Number.parseInt(location, 16), row);
    }
  }
  return functions;
}

test("the rows of every function are those that readelf computes", () => {
  const expected = expectedRows();
  expect(expected.size).toBeGreaterThan(1000);
  let compared = 0;
  for (const fde of allFdes(sections().ehFrame, new Map(), {})) {
    const rows = rowsOf(fde, NAMES.length);
    for (const [location, row] of expected.get(String(fde.start)) ?? []) {
      expect([fde.start, location, written(rowAt(rows, location) as Row)]).toEqual([fde.start, location, row]);
      compared++;
    }
  }
  expect(compared).toBeGreaterThan(5000);
});

test("the search table and the scan of all entries find the same", () => {
  const { hdr, ehFrame } = sections();
  const search = tableWithSearch(ehFrame, readSearchTable(hdr));
  const scan = scannedTable(ehFrame);
  const starts = [...allFdes(ehFrame, new Map(), {})].flatMap(({ start, end }) => [start - 1, start, end - 1, end]);
  for (const address of [0, ...starts, 2 ** 40]) {
    expect(search.find(address)?.offset).toBe(scan.find(address)?.offset);
  }
});

test("a function that the kernel enters for a signal is told from others", () => {
  const signals = [...allFdes(sections().ehFrame, new Map(), {})].filter(({ cie }) => cie.isSignal);
  expect(signals.length).toBe(1);
  expect(signals[0]?.cie.augmentation).toBe("zRS");
});
