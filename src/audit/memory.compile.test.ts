import { expect, test } from "vitest";
import { fromAssembly } from "../elf/compiled.fixture.ts";
import { readElf } from "../elf/read.ts";
import type { PatchMetadata } from "../patch/metadata.ts";
import { type KernelMemory, memoryFindings } from "./memory.ts";

/** A livepatch of the function `old`: it calls `helper` of the kernel, and its klp_func has the new function at 8 and the old one at 24. */
const LIVEPATCH = `
  .text
  .type new, @function
new: call __fentry__
  call helper
  mov $7, %eax
  ret
  .size new, . - new
  .data
  .quad 0, new, 0, 0
  .section __mcount_loc, "a"
  .quad new
`;

const [TEXT, DATA, OLD, HELPER, FENTRY, MODULE] = [
  0xffffffffc0000000n,
  0xffffffffc0002000n,
  0xffffffff81000100n,
  0xffffffff81000200n,
  0xffffffff81000300n,
  0xffffffffc0003000n,
];
const FTRACE_CALL = Buffer.from([0xe8, 1, 2, 3, 4]);
const NOP = Buffer.from([0x0f, 0x1f, 0x44, 0, 0]);

function call(from: bigint, to: bigint): Buffer {
  const bytes = Buffer.from([0xe8, 0, 0, 0, 0]);
  bytes.writeInt32LE(Number(to - from - 5n), 1);
  return bytes;
}

/** The memory of a kernel in which the livepatch is in force. */
function inForce(): Map<bigint, Buffer> {
  const text = Buffer.concat([NOP, call(TEXT + 5n, HELPER), Buffer.from([0xb8, 7, 0, 0, 0, 0xc3])]);
  const data = Buffer.alloc(32);
  data.writeBigUInt64LE(TEXT, 8);
  data.writeBigUInt64LE(OLD, 24);
  return new Map([
    [TEXT, text],
    [DATA, data],
    [OLD, Buffer.concat([FTRACE_CALL, Buffer.alloc(11)])],
  ]);
}

async function found(
  memory: ReadonlyMap<bigint, Buffer>,
  object = "vmlinux",
  file = readElf(fromAssembly(LIVEPATCH), "livepatch.ko"),
): Promise<string[]> {
  const at = (address: bigint) => [{ address, object }];
  const kernel: KernelMemory = {
    symbols: async () =>
      new Map([
        ["new_name", at(OLD)],
        ["helper", at(HELPER)],
        ["__fentry__", at(FENTRY)],
        ["new", at(OLD)],
        ["__this_module", object === "vmlinux" ? [] : at(MODULE)],
      ]),
    sections: async () =>
      new Map([
        [".text", TEXT],
        [".data", DATA],
      ]),
    read: async (address, length) => {
      const [start, bytes] =
        [...memory].find(([from, each]) => address >= from && address < from + BigInt(each.length)) ?? [];
      if (start === undefined || bytes === undefined) throw new Error(`nothing at ${address}`);
      return bytes.subarray(Number(address - start), Number(address - start) + length);
    },
  };
  const func = { name: "new", sympos: 0, source: "old.c", why: "", size: { original: 1, patched: 1 } };
  const metadata = {
    name: "livepatch",
    objects: [{ name: object, funcs: [func], callbacks: [] }],
  } as unknown as PatchMetadata;
  const structs = {
    klp_func: { size: 32, offsets: { new_func: 8, old_func: 24 } },
    module: { size: 64, offsets: { exit: 16 } },
  };
  const layouts = { entrySizes: {}, structs };
  const findings = await memoryFindings(file, metadata, layouts, kernel);
  return findings.map(({ what }) => what);
}

test("a livepatch that is in force is found in memory", async () => {
  expect(await found(inForce())).toEqual([]);
});

test("each byte of the new code counts, but for those that the kernel rewrites itself", async () => {
  for (let i = 0; i < 16; i++) {
    const memory = inForce();
    const text = memory.get(TEXT) as Buffer;
    text[i] = (text[i] as number) ^ 0x10;
    // The call of ftrace.
    const expected = i < 5 ? [] : [expect.stringMatching(/^the new new at \+0x[0-9a-f]+ is /)];
    expect(await found(memory)).toEqual(expected);
  }
});

test("an entry that leads nowhere, or to another function, is no patched one", async () => {
  const unhooked = inForce();
  NOP.copy(unhooked.get(OLD) as Buffer);
  const elsewhere = inForce();
  (elsewhere.get(DATA) as Buffer).writeBigUInt64LE(HELPER, 24);
  for (const memory of [unhooked, elsewhere])
    expect(await found(memory)).toEqual(["nothing at the entry of the running new leads to the new one"]);
});

test("a jump to the new code is a redirect as well", async () => {
  const memory = inForce();
  const jump = call(OLD + 5n, TEXT);
  jump[0] = 0xe9;
  memory.set(OLD, Buffer.concat([NOP, jump, Buffer.alloc(6)]));
  expect(await found(memory)).toEqual([]);
});

test("of a module, what it calls when it is unloaded leads to the new code as well", async () => {
  const memory = inForce();
  NOP.copy(memory.get(OLD) as Buffer);
  const module = Buffer.alloc(64);
  memory.set(MODULE, module);
  expect(await found(memory, "a_module")).toEqual(["nothing at the entry of the running new leads to the new one"]);
  module.writeBigUInt64LE(TEXT, 16);
  expect(await found(memory, "a_module")).toEqual([]);
});

test("what the kernel fills in with a module is looked at once that is loaded", async () => {
  const file = readElf(fromAssembly(LIVEPATCH), "livepatch.ko");
  const sections = file.sections.map((each) =>
    each.name === ".rela.text" ? { ...each, name: ".klp.rela.driver..text" } : each,
  );
  const later = { ...file, sections };
  const memory = inForce();
  (memory.get(TEXT) as Buffer).fill(0, 6, 10);
  expect(await found(memory, "vmlinux", later)).toEqual([]);
  expect(await found(memory, "driver", later)).toEqual([expect.stringMatching(/^the new new at \+0x6 is /)]);
});
