import { type KernelSymbol, readKallsyms } from "../../src/image/kallsyms.ts";
import { RODATA_ADDRESS, rodataWith, type TableOptions, vmlinuxWith } from "../../test/fixtures/kallsyms-tables.ts";
import type { FuzzParser } from "./parser.ts";

const OPTIONS: TableOptions = {
  form: "6.4",
  endian: "little",
  percpu: true,
  relative: true,
  seqs: true,
  around: Buffer.alloc(0),
};

const CPU_SYMBOLS = 8;
const SYMBOLS: KernelSymbol[] = Array.from({ length: 280 }, (_, i) =>
  i < CPU_SYMBOLS
    ? { name: `cpu_${i}`, type: "A", address: BigInt(i * 64) }
    : { name: `call_${i % 7}`, type: i % 3 === 0 ? "T" : "t", address: RODATA_ADDRESS - 0x1000000n + BigInt(i * 16) },
);

/** The kernel's symbol tables in made-up images of all layouts. */
export const kallsyms: FuzzParser = {
  name: "kallsyms",
  seeds: () => [
    { data: rodataWith(SYMBOLS, OPTIONS) },
    { data: rodataWith(SYMBOLS, { ...OPTIONS, form: "2.6", relative: false, seqs: false }) },
    // Since then all lie where they are used.
    { data: rodataWith(SYMBOLS.slice(CPU_SYMBOLS), { ...OPTIONS, form: "7.0" }) },
  ],
  run(data) {
    readKallsyms(vmlinuxWith(data, "little"));
  },
};
