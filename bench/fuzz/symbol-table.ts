import type { KernelSymbol } from "../../src/image/kallsyms.ts";
import { encodeSymbolTable, openSymbolTable } from "../../src/image/symbol-table.ts";
import type { FuzzParser } from "./parser.ts";

const SYMBOLS: KernelSymbol[] = Array.from({ length: 40 }, (_, i) => ({
  name: `symbol_${i % 9}`,
  type: "T",
  address: 0xffffffff81000000n + BigInt(16 * Math.floor(i / 2)),
}));

/** The cached table of a kernel's symbols, with every kind of look-up. */
export const symbolTable: FuzzParser = {
  name: "symbol-table",
  seeds: () => [{ data: encodeSymbolTable(SYMBOLS), hot: [[0, 16]] }],
  run(data) {
    const table = openSymbolTable(data);
    for (const name of ["symbol_0", "symbol_8", "missing"]) table.byName(name);
    for (const address of [0n, 0xffffffff81000010n, 0xffffffffffffffffn]) {
      table.at(address);
      table.covering(address);
    }
  },
};
