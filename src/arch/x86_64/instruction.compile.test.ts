import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromAssembly } from "../../elf/compiled.fixture.ts";
import { SHF } from "../../elf/constants.ts";
import { readElf } from "../../elf/read.ts";
import { decodeInstruction } from "./instruction.ts";

/** Lengths by objdump, for the instructions that it knows, from a program's section of code. */
function disassembled(path: string, section: string): { at: number; length: number; text: string }[] {
  const shown = execFileSync("objdump", ["-d", "-j", section, "-w", path], { encoding: "latin1", maxBuffer: 1 << 30 });
  return shown.split("\n").flatMap((line) => {
    const match = /^ *([0-9a-f]+):\t((?:[0-9a-f]{2} )+)\s*\t?(.*)$/.exec(line);
    if (match === null) return [];
    const text = match[3] ?? "";
    return [{ at: Number.parseInt(match[1] ?? "", 16), length: (match[2] ?? "").trim().split(" ").length, text }];
  });
}

function codeOf(path: string, name: string): { data: Buffer; from: number } {
  const file = readElf(readFileSync(path), path);
  const section = file.sections.find((each) => each.name === name);
  if (section === undefined || (section.flags & SHF.EXECINSTR) === 0) throw new Error(`${path} has no code in ${name}`);
  return { data: section.data, from: Number(section.address) };
}

/** objdump takes a prefix that no instruction follows, and what it does not know, for something of its own. */
const NOT_ONE = /\(bad\)|^(rex\S*|data16|addr32|lock|repz|repnz|[c-gs]s|fwait|notrack|bnd)$|\.byte/;

test.each(["/bin/bash", "/usr/bin/objdump", "/usr/bin/ld.bfd", "/lib/x86_64-linux-gnu/libc.so.6"])(
  "in %s every instruction ends where objdump says",
  (path) => {
    const { data, from } = codeOf(path, ".text");
    const code = data.subarray(0, 2 << 20);
    const wrong: string[] = [];
    let seen = 0;
    for (const { at, length, text } of disassembled(path, ".text")) {
      if (NOT_ONE.test(text.trim())) continue;
      if (at - from + 15 > code.length) break;
      seen++;
      const ours = decodeInstruction(code, at - from);
      if (ours?.length !== length) wrong.push(`${at.toString(16)}: ${text}: ${ours?.length}, not ${length}`);
    }
    expect(seen).toBeGreaterThan(50_000);
    expect(wrong.slice(0, 20)).toEqual([]);
  },
);

describe("instructions that compilers for user space do not make", () => {
  const SOURCE = `
    swapgs; sysretq; iretq; wrmsr; rdmsr; cpuid; hlt; cli; sti; pushfq; popfq
    mov %cr3,%rax; mov %rax,%cr4; mov %db7,%rbx; lgdt (%rax); lidt 8(%rsp); ltr %ax; invlpg (%rdi)
    in $0x60,%al; out %al,$0x80; in (%dx),%eax; outsb; rep insw
    movabs $0x1122334455667788,%rax; movabs 0x1122334455667788,%al; movabs %eax,0x1122334455667788
    mov %eax,(%ecx); mov %gs:0x1234,%rax; incl %gs:0x10(%rip); testb $1,0x10(%rip); testw $1,(%rax)
    movw $0x1234,0x10(%rip); movl $0x12345678,0x10(%rip); cmpw $1,%ax; enter $8,$1; ret $8; lretq
    xsaves64 (%rdi); xrstors (%rdi); clac; stac; endbr64; wrssq %rax,(%rdx); incsspq %rax; setssbsy
    invpcid (%rax),%rbx; vmcall; vmlaunch; vmread %rax,%rbx; vmwrite (%rax),%rbx; vmrun; clgi; stgi
    crc32q %rax,%rbx; movbe (%rax),%rbx; pshufb %xmm1,%xmm2; palignr $4,%xmm1,%xmm2; aesenc %xmm1,%xmm2
    vpaddd %ymm1,%ymm2,%ymm3; vpshufb (%rax),%ymm2,%ymm3; vpalignr $4,%ymm1,%ymm2,%ymm3; vzeroupper
    vpermq $0x11,%ymm1,%ymm2; vpaddd %zmm1,%zmm2,%zmm3{%k1}; vpaddd 0x40(%rax),%zmm2,%zmm3; vpternlogd $5,%zmm1,%zmm2,%zmm3
    kmovw %eax,%k1; kshiftlw $3,%k1,%k2; mulx %rax,%rbx,%rcx; rorx $5,%rax,%rbx; bextr %rax,%rbx,%rcx; andn %rax,%rbx,%rcx
    xbegin foo; xabort $1; xend; loop foo8; jrcxz foo8; jmp foo8; foo8: ud2; ud1 %eax,%eax; int $0x80; int3
    cmpxchg16b (%rdi); xadd %rax,(%rbx); bt $3,%rax; shld $4,%rax,%rbx; popcnt %rax,%rbx; tzcnt %rax,%rbx
    prefetchw (%rax); clflushopt (%rax); clwb (%rax); movnti %eax,(%rbx); rdseed %rax; rdpid %rax; ptwrite %rax
    nopw 0x0(%rax,%rax,1); nopl 0x0(%rax); xchg %ax,%ax; pause; rep stosq; lock cmpxchg %rax,(%rbx); sysenter; sysexitq
    flds (%rax); fnstsw %ax; fninit; emms; cvtsi2sd %rax,%xmm0; movq %xmm0,%rax; pextrq $1,%xmm0,%rax; insertps $1,%xmm0,%xmm1
    foo: ret
  `;

  test("end where objdump says", () => {
    const object = fromAssembly(SOURCE.replaceAll(";", "\n"));
    const directory = mkdtempSync(join(tmpdir(), "suture-instruction-test-"));
    try {
      const path = join(directory, "unit.o");
      writeFileSync(path, object);
      const { data } = codeOf(path, ".text");
      const all = disassembled(path, ".text");
      expect(all.length).toBeGreaterThan(110);
      expect(all.filter(({ at, length }) => decodeInstruction(data, at)?.length !== length)).toEqual([]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

test("a branch by a displacement has its size, at the end of the instruction", () => {
  const branches: [number[], number][] = [
    [[0xe8, 1, 2, 3, 4], 4],
    [[0xe9, 1, 2, 3, 4], 4],
    [[0xf2, 0xe9, 1, 2, 3, 4], 4],
    [[0x0f, 0x84, 1, 2, 3, 4], 4],
    [[0x2e, 0x0f, 0x85, 1, 2, 3, 4], 4],
    [[0xeb, 1], 1],
    [[0x75, 1], 1],
    [[0xe3, 1], 1],
    [[0xc7, 0xf8, 1, 2, 3, 4], 4],
    [[0xff, 0xe0], 0],
    [[0xff, 0x15, 1, 2, 3, 4], 0],
    [[0x0f, 0x0b], 0],
  ];
  for (const [bytes, branch] of branches)
    expect({ bytes, ...decodeInstruction(Buffer.from(bytes), 0) }).toMatchObject({
      bytes,
      length: bytes.length,
      branch,
    });
});

test("a RIP-relative operand is found before an immediate, behind prefixes of any kind; other operands are none", () => {
  const operands: [string, number | undefined][] = [
    ["488b0511223344", 3],
    ["c70511223344aabbccdd", 2],
    ["66c70511223344aabb", 3],
    ["803d1122334400", 2],
    ["c5f96f0511223344", 4],
    ["c4e2795805 11223344", 5],
    ["62f17d486f0511223344", 6],
    ["660f6f0511223344", 4],
    ["ff2511223344", 2],
    ["8b8511223344", undefined],
    ["8b042511223344", undefined],
    ["e811223344", undefined],
    ["90", undefined],
  ];
  for (const [hex, at] of operands)
    expect([hex, decodeInstruction(Buffer.from(hex.replace(" ", ""), "hex"), 0)?.ripField]).toEqual([hex, at]);
});

test("bytes that end before the instruction does are none, at every cut", () => {
  const whole = Buffer.from("48c7842488000000ffffff7f", "hex");
  expect(decodeInstruction(whole, 0)?.length).toBe(whole.length);
  for (let length = 0; length < whole.length; length++) {
    expect(decodeInstruction(whole.subarray(0, length), 0)).toBeUndefined();
    expect(decodeInstruction(whole, 0, length)).toBeUndefined();
  }
});

test("prefixes without end are no instruction", () => {
  expect(decodeInstruction(Buffer.alloc(64, 0x66), 0)).toBeUndefined();
});

test("whatever the bytes, an instruction has 1 to 15 of them and lies within what was given", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(40), (bytes, offset) => {
      const found = decodeInstruction(bytes, offset);
      if (found === undefined) return;
      expect(found.length).toBeGreaterThan(0);
      expect(found.length).toBeLessThanOrEqual(15);
      expect(offset + found.length).toBeLessThanOrEqual(bytes.length);
      expect(found.branch).toBeLessThan(found.length);
    }),
    { numRuns: 20_000 },
  );
});
