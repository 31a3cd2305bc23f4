import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../src/lib/temp.ts";
import { readSealed, sealed } from "../src/patch/digest.ts";
import { readProgramLivepatch } from "../src/process/loader/livepatch.ts";
import { livepatch, program } from "./fixtures/patched-program.ts";

const SOURCE =
  "static int n = 5;\nint work(int x) { n += x; return n; }\nint main(int c, char **v) { (void)v; return work(c); }\n";
let directory: TemporaryDirectory;
let whole: Buffer;

beforeAll(async () => {
  directory = await temporaryDirectory();
  const original = program({ directory: directory.path, name: "serve", source: SOURCE });
  whole = readFileSync(livepatch(original, SOURCE.replace("n += x", "n -= x")));
});
afterAll(async () => {
  await directory[Symbol.asyncDispose]();
});

function codeOf(read: () => unknown): string {
  try {
    read();
    return "read";
  } catch (error) {
    return (error as { code: string }).code;
  }
}

test("any one bit that is flipped makes a livepatch LIVEPATCH_CORRUPT, wherever it lies", () => {
  expect(codeOf(() => readProgramLivepatch(whole, "fix.o"))).toBe("read");
  const codes = new Set<string>();
  for (let at = 0; at < whole.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const data = Buffer.from(whole);
      data[at] = (data[at] as number) ^ (1 << bit);
      codes.add(codeOf(() => readProgramLivepatch(data, "fix.o")));
    }
  }
  expect([...codes]).toEqual(["LIVEPATCH_CORRUPT"]);
});

test("a byte more at the end, or fewer, is noticed", () => {
  expect(codeOf(() => readSealed(Buffer.concat([whole, Buffer.alloc(1)]), "fix.o"))).toBe("LIVEPATCH_CORRUPT");
  for (let cut = 1; cut < 200; cut++)
    expect(codeOf(() => readProgramLivepatch(whole.subarray(0, -cut), "fix.o"))).toBe("LIVEPATCH_CORRUPT");
});

test("a signature that the kernel's sign-file appends is not part of it", () => {
  const trailer = Buffer.alloc(12);
  trailer.writeUInt32BE(300, 8);
  const signed = Buffer.concat([whole, Buffer.alloc(300, 7), trailer, Buffer.from("~Module signature appended~\n")]);
  expect(codeOf(() => readSealed(signed, "fix.ko"))).toBe("read");
  signed[40] = (signed[40] as number) ^ 1;
  expect(codeOf(() => readSealed(signed, "fix.ko"))).toBe("LIVEPATCH_CORRUPT");
});

test("a livepatch that has lost its digest is no livepatch of another tool", () => {
  const path = join(directory.path, "stripped.o");
  writeFileSync(path, whole);
  execFileSync("objcopy", ["--remove-section", ".suture.digest", path]);
  expect(codeOf(() => readSealed(readFileSync(path), "fix.o"))).toBe("LIVEPATCH_CORRUPT");
  expect(() => sealed(readFileSync(path))).toThrow();
});
