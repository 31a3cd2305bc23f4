import { execFileSync } from "node:child_process";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { SutureError } from "../lib/error.ts";
import { unpackKernelImage } from "./unpack.ts";

const VMLINUX = Buffer.concat([Buffer.from("\x7fELF"), Buffer.alloc(200_000, "text of a kernel ")]);

function compressed(program: string, ...args: string[]): Buffer {
  return execFileSync(program, args, { input: VMLINUX });
}

interface ImageOptions {
  readonly version?: number;
  /** What the payload says of its size, appended unless it is gzip's own. */
  readonly size?: number;
  readonly length?: number;
}

function bzImage(payload: Buffer, { version = 0x020f, size = VMLINUX.length, length }: ImageOptions = {}): Buffer {
  const setup = Buffer.alloc(5 * 512);
  setup[0x1f1] = 4;
  setup.write("HdrS", 0x202);
  setup.writeUInt16LE(version, 0x206);
  setup.writeUInt32LE(0x40, 0x248);
  const isGzip = payload[0] === 0x1f;
  const trailer = Buffer.alloc(isGzip ? 0 : 4);
  if (!isGzip) trailer.writeUInt32LE(size);
  setup.writeUInt32LE(length ?? payload.length + trailer.length, 0x24c);
  return Buffer.concat([setup, Buffer.alloc(0x40), payload, trailer, Buffer.alloc(100, 0xcc)]);
}

afterEach(() => {
  vi.unstubAllEnvs();
});

describe("a kernel image", () => {
  test.each([
    ["gzip", () => gzipSync(VMLINUX)],
    ["xz", () => compressed("xz", "--check=crc32", "--x86", "--lzma2=dict=32MiB", "-c")],
    ["lzma", () => compressed("xz", "--format=lzma", "-c")],
    ["zstd", () => compressed("zstd", "-qc")],
    ["legacy lz4", () => compressed("lz4", "-qlc")],
    ["no compression", () => VMLINUX],
  ])("with %s gives its vmlinux", async (_name, payload) => {
    const unpacked = await unpackKernelImage(bzImage(payload()), "vmlinuz");
    expect(unpacked.subarray(0, VMLINUX.length).equals(VMLINUX)).toBe(true);
  });

  test("that is a vmlinux already is given back", async () => {
    expect(await unpackKernelImage(VMLINUX, "vmlinux")).toBe(VMLINUX);
  });

  test("with 0 setup sectors has 4", async () => {
    const image = bzImage(gzipSync(VMLINUX));
    image[0x1f1] = 0;
    expect((await unpackKernelImage(image, "vmlinuz")).equals(VMLINUX)).toBe(true);
  });

  test.each([
    ["is something else", Buffer.alloc(4096), "KERNEL_IMAGE_UNSUPPORTED"],
    ["is empty", Buffer.alloc(0), "KERNEL_IMAGE_UNSUPPORTED"],
    ["has an old boot protocol", bzImage(gzipSync(VMLINUX), { version: 0x0207 }), "KERNEL_IMAGE_UNSUPPORTED"],
    ["has an unknown compression", bzImage(Buffer.from("\x89LZO and so on")), "KERNEL_IMAGE_UNSUPPORTED"],
    ["is cut off", bzImage(gzipSync(VMLINUX)).subarray(0, 2700), "KERNEL_IMAGE_CORRUPT"],
    ["has no payload", bzImage(Buffer.alloc(0), { length: 0 }), "KERNEL_IMAGE_CORRUPT"],
    ["claims no size", bzImage(compressed("zstd", "-qc"), { size: 0 }), "KERNEL_IMAGE_CORRUPT"],
    ["claims a huge size", bzImage(compressed("zstd", "-qc"), { size: 0xffffffff }), "KERNEL_IMAGE_CORRUPT"],
    ["unpacks to more than it claims", bzImage(compressed("zstd", "-qc"), { size: 4096 }), "KERNEL_IMAGE_CORRUPT"],
    ["unpacks to less than it claims", bzImage(compressed("xz", "-c"), { size: 300_000 }), "KERNEL_IMAGE_CORRUPT"],
    ["holds broken xz", bzImage(compressed("xz", "-c").fill(7, 40)), "KERNEL_IMAGE_CORRUPT"],
    ["holds broken gzip", bzImage(gzipSync(VMLINUX).fill(7, 40, 80)), "KERNEL_IMAGE_CORRUPT"],
    ["does not hold an ELF file", bzImage(gzipSync(Buffer.from("text"))), "KERNEL_IMAGE_CORRUPT"],
  ])("that %s is refused", async (_what, image, code) => {
    await expect(unpackKernelImage(image, "vmlinuz")).rejects.toMatchObject({ code });
  });

  test("names a program that is missing", async () => {
    const image = bzImage(compressed("xz", "-c"));
    vi.stubEnv("PATH", "/nonexistent");
    await expect(unpackKernelImage(image, "vmlinuz")).rejects.toMatchObject({
      code: "PROGRAM_MISSING",
      program: "xz",
    });
  });

  test("that was tampered with is unpacked or refused", async () => {
    const image = bzImage(gzipSync(VMLINUX));
    const change = fc.tuple(fc.nat(image.length - 1), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 5 }), async (changes) => {
        const broken = Buffer.from(image);
        for (const [at, value] of changes) broken[at] = value;
        await unpackKernelImage(broken, "vmlinuz").catch((error) => expect(error).toBeInstanceOf(SutureError));
      }),
      { numRuns: 300 },
    );
  });
});
