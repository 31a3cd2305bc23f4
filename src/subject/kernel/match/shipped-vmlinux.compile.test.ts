import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { encodeSymbolTable } from "../../../image/symbol-table.ts";
import { temporaryDirectory } from "../../../lib/temp.ts";
import { ShippedVmlinux } from "./shipped-vmlinux.ts";

const TEXT = 0x200000;

/** Where each section of the image lies: what each processor has a copy of among what is freed, as since 6.15. */
const AT = { ".text": TEXT, ".init.data": 0x400000, ".data..percpu": 0x401000, ".data": 0x500000 };

test("what each processor has a copy of is not freed, though it is linked among what is", async () => {
  await using directory = await temporaryDirectory();
  const at = (name: string): string => join(directory.path, name);
  const sections = Object.keys(AT).map((name) => `.section ${name}, "${name === ".text" ? "ax" : "aw"}"\n.long 1\n`);
  writeFileSync(at("a.s"), `.globl _start\n.text\n_start: nop\n${sections.join("")}`);
  execFileSync("as", ["-o", at("a.o"), at("a.s")]);
  const placed = Object.entries(AT).map(([name, place]) => `${name} ${place} : { *(${name}) }`);
  writeFileSync(at("script"), `SECTIONS { ${placed.join("\n")} }`);
  execFileSync("ld", ["-e", "_start", "-T", at("script"), "-o", at("vmlinux"), at("a.o")]);
  const symbols = encodeSymbolTable([
    { name: "_text", type: "T", address: BigInt(TEXT) },
    { name: "__init_begin", type: "D", address: 0x400000n },
    { name: "__init_end", type: "D", address: 0x402000n },
  ]);
  using vmlinux = new ShippedVmlinux(at("vmlinux"), symbols, "0123");
  const freed = Object.entries(AT).map(([name, place]) => [name, vmlinux.isFreed(place)]);
  expect(freed).toEqual([
    [".text", false],
    [".init.data", true],
    [".data..percpu", false],
    [".data", false],
  ]);
});
