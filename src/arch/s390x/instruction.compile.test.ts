import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../lib/temp.ts";
import { code } from "./code.ts";
import { compiledForS390x } from "./compiled.fixture.ts";
import { decodeInstruction } from "./instruction.ts";

/** Every instruction that has a place relative to itself, by the assembler's names, each leading to the same label. */
const RELATIVE = `
  larl %r1,0f; brasl %r14,0f; brcl 15,0f; jg 0f; jgnop 0f; brc 4,0f; j 0f; bras %r14,0f; brct %r1,0f; brctg %r1,0f
  brxh %r1,%r3,0f; brxle %r1,%r3,0f; brxhg %r1,%r3,0f; brxlg %r1,%r3,0f; brcth %r1,0f
  crj %r1,%r2,8,0f; cgrj %r1,%r2,8,0f; clrj %r1,%r2,8,0f; clgrj %r1,%r2,8,0f
  cij %r1,2,8,0f; cgij %r1,2,8,0f; clij %r1,2,8,0f; clgij %r1,2,8,0f
  lrl %r1,0f; lgrl %r1,0f; lgfrl %r1,0f; llgfrl %r1,0f; lhrl %r1,0f; lghrl %r1,0f; llhrl %r1,0f; llghrl %r1,0f
  strl %r1,0f; stgrl %r1,0f; sthrl %r1,0f; crl %r1,0f; cgrl %r1,0f; cgfrl %r1,0f; clrl %r1,0f; clgrl %r1,0f
  chrl %r1,0f; cghrl %r1,0f; clhrl %r1,0f; clghrl %r1,0f; exrl %r1,0f; pfdrl 1,0f
`;
/** Those that look like one. */
const OTHERS = `
  lgfi %r1,-1; llihf %r1,1; llilf %r1,1; iihf %r1,1; xihf %r1,1; nihf %r1,1; oilf %r1,1; lhi %r1,5; lghi %r1,5
  aghi %r15,-160; chi %r2,1; cghi %r2,1; mhi %r2,3; tmll %r1,1; risbg %r1,%r2,0,63,3; rosbg %r1,%r2,0,63,3
  ahik %r1,%r2,3; cgit %r1,2,8; cfi %r1,5; agfi %r1,5; slfi %r1,5; msfi %r1,5; brcth %r1,.; aih %r1,5; bcr 15,%r14; svc 1
  stmg %r6,%r15,48(%r15); lmg %r6,%r15,208(%r15); mvc 0(8,%r1),0(%r2); la %r1,0(%r2,%r3); ex %r1,0(%r2); tm 0(%r1),1
`;

async function disassembled(source: string): Promise<{ data: Buffer; lines: { at: number; text: string }[] }> {
  await using directory = await temporaryDirectory();
  const file = join(directory.path, "code.o");
  writeFileSync(join(directory.path, "code.s"), source);
  const as = (...args: string[]) => execFileSync("s390x-linux-gnu-as", ["-march=z14", "-m64", ...args]);
  as("-o", file, join(directory.path, "code.s"));
  const raw = join(directory.path, "raw");
  execFileSync("s390x-linux-gnu-objcopy", ["-O", "binary", "-j", ".text", file, raw]);
  const data = execFileSync("cat", [raw]);
  const shown = execFileSync("s390x-linux-gnu-objdump", ["-d", "-w", file], { encoding: "latin1" });
  rmSync(file);
  const lines = shown.split("\n").flatMap((line) => {
    const [, at, text] = /^\s*([0-9a-f]+):\t(?:[0-9a-f]{2} )+\s*\t(.*)$/.exec(line) ?? [];
    return at === undefined || text === undefined ? [] : [{ at: Number.parseInt(at, 16), text }];
  });
  return { data, lines };
}

test("an instruction ends and leads where objdump says", async () => {
  const { data, lines } = await disassembled(
    `.text\nstart: nopr %r7\n0:\n${(RELATIVE + OTHERS).replaceAll("0f", "0b")}`,
  );
  expect(lines.length).toBeGreaterThan(70);
  for (const [i, { at, text }] of lines.entries()) {
    const instruction = decodeInstruction(data, at);
    expect([text, instruction?.length]).toEqual([text, (lines[i + 1]?.at ?? data.length) - at]);
    const led = /\b([0-9a-f]+) <start(?:\+0x[0-9a-f]+)?>/.exec(text)?.[1];
    const to = instruction?.field === undefined ? undefined : code.leadsTo(data, at, instruction);
    expect([text, to]).toEqual([text, led === undefined ? undefined : Number.parseInt(led, 16)]);
  }
});

test("what is a branch, and of which size, is told apart from what only refers to a place", async () => {
  const { data, lines } = await disassembled(`.text\nnopr %r7\n0:\n${RELATIVE.replaceAll("0f", "0b")}`);
  const isBranch = (text: string) => /^(b|j|c[lg]*[ir]j|c[lg]*[ir]?j)/.test(text) && !/^c[lg]*(f?rl|hrl)/.test(text);
  for (const { at, text } of lines)
    expect([text, decodeInstruction(data, at)?.branch !== 0]).toEqual([text, isBranch(text)]);
});

test("the compiler's code is read to its end", () => {
  const file = compiledForS390x(`
    extern int outside(int); static int counter;
    int sum(const int *a, int n) { int s = 0; while (n--) s += outside(a[n]) * counter++; return s; }
    int pick(int n) { switch (n) { case 0: return outside(1); case 1: return 7; case 2: return 9; case 3: return outside(2);
      case 4: return 1; case 5: return 12; } return -1; }
  `);
  const sections = file.sections.filter(({ name }) => name.startsWith(".text."));
  expect(sections.length).toBe(2);
  for (const { data } of sections) {
    let at = 0;
    while (at < data.length) at += decodeInstruction(data, at)?.length ?? data.length;
    expect(at).toBe(data.length);
  }
});

test("any bytes are an instruction or end before it does", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 8 }), fc.nat(8), (bytes, at) => {
      const found = decodeInstruction(bytes, at);
      if (found !== undefined) expect(at + found.length).toBeLessThanOrEqual(bytes.length);
    }),
  );
});
