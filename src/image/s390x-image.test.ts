import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readElf } from "../elf/read.ts";
import { BIG } from "../elf/words.ts";
import { SutureError } from "../lib/error.ts";
import { unpackKernelImage } from "./unpack.ts";

const LOADED_AT = 0x100000;
const PLACE = { code: 0, pointer: 0x1000, slot: 0x1008, symbols: 0x2000, relocations: 0x2100, end: 0x2148 } as const;

/** A kernel with a word that is in place, one that goes by a symbol, and a slot. */
function kernel(types: readonly number[] = [12, 22, 10]): Buffer {
  const data = Buffer.alloc(PLACE.end, "code ");
  BIG.setSize(data, PLACE.symbols + 24 + 8, LOADED_AT + 0x40);
  for (const [i, type] of types.entries()) {
    const at = PLACE.relocations + 24 * i;
    BIG.setSize(data, at, LOADED_AT + PLACE.pointer + 8 * i);
    BIG.setU32(data, at + 8, type === 12 ? 0 : 1);
    BIG.setU32(data, at + 12, type);
    BIG.setSize(data, at + 16, type === 12 ? LOADED_AT + 0x10 : 4);
  }
  return data;
}

/** With the two lures of a real one: the first bytes of a stream in the decompressor, and the end of one in what follows. */
function image(vmlinux: Buffer, { size = vmlinux.length, info = true } = {}): Buffer {
  const decompressor = Buffer.alloc(0x12000);
  decompressor.write("S390EP", 0x10008, "latin1");
  Buffer.from("fd377a585a00", "hex").copy(decompressor, 0x11000);
  decompressor.write("X decompressor", 0x11006, "latin1");
  const words = [0, 0, vmlinux.length, 0, 0, 0, 0, 0, PLACE.symbols, PLACE.relocations, PLACE.end, 0];
  if (info) for (const [i, word] of words.entries()) BIG.setSize(decompressor, 0x11800 + 8 * i, LOADED_AT + word);
  const packed = execFileSync("xz", ["--check=crc32", "-c"], { input: vmlinux });
  const trailer = Buffer.alloc(4);
  trailer.writeUInt32LE(size);
  return Buffer.concat([decompressor, packed, trailer, Buffer.from("and more, YZ, behind it")]);
}

describe("an s390x kernel image", () => {
  test("gives the kernel as one section that lies where it is loaded, with its addresses filled in", async () => {
    const file = readElf(await unpackKernelImage(image(kernel()), "vmlinuz"), "vmlinux");
    expect(file.header).toMatchObject({ endian: "big", machine: 22 });
    const [, section] = file.sections;
    expect(section?.address).toBe(BigInt(LOADED_AT));
    const data = section?.data ?? Buffer.alloc(0);
    expect(data.subarray(0, PLACE.pointer).equals(kernel().subarray(0, PLACE.pointer))).toBe(true);
    expect(BIG.size(data, PLACE.pointer)).toBe(LOADED_AT + 0x10);
    for (const at of [PLACE.pointer + 8, PLACE.pointer + 16]) expect(BIG.size(data, at)).toBe(LOADED_AT + 0x44);
  });

  test.each([
    ["does not say where its relocations are", image(kernel(), { info: false })],
    ["has relocations of another kind", image(kernel([12, 22, 99]))],
    ["unpacks to another size than it says", image(kernel(), { size: 0x3000 })],
    ["is cut off", image(kernel()).subarray(0, 0x12028)],
    ["has no compressed kernel", image(kernel()).subarray(0, 0x12000)],
  ])("that %s is refused", async (_, data) => {
    await expect(unpackKernelImage(data, "vmlinuz")).rejects.toMatchObject({ code: "KERNEL_IMAGE_CORRUPT" });
  });

  test("that was tampered with is unpacked or refused", async () => {
    const whole = image(kernel());
    const change = fc.tuple(fc.integer({ min: 0x11800, max: whole.length - 1 }), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
        const broken = Buffer.from(whole);
        for (const [at, value] of changes) broken[at] = value;
        await unpackKernelImage(broken, "vmlinuz").catch((error) => expect(error).toBeInstanceOf(SutureError));
      }),
      { numRuns: 40 },
    );
  });
});
