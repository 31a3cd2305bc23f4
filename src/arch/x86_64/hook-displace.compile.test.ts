import { describe, expect, test } from "vitest";
import { fromAssembly } from "../../elf/compiled.fixture.ts";
import { readElf } from "../../elf/read.ts";
import type { Displacement, NoDisplacement } from "../hook-abi.ts";
import { displace, trampolineCode, trampolineSize } from "./hook-displace.ts";
import { jumpTarget } from "./hook-jump.ts";
import { decodeInstruction } from "./instruction.ts";

const ENTRY = 0x5555_0000_1000;

function assembled(source: string): Buffer {
  const text = readElf(fromAssembly(`${source}\n`), "a.o").sections.find(({ name }) => name === ".text");
  return Buffer.from(text?.data ?? Buffer.alloc(0));
}

function hookOn(source: string, padding = "", cold = ""): Displacement | NoDisplacement {
  const pieces = [{ start: ENTRY, bytes: assembled(source) }];
  if (cold !== "") pieces.push({ start: ENTRY - 0x800, bytes: assembled(cold) });
  return displace({ entry: ENTRY, pieces, padding: padding === "" ? Buffer.alloc(0) : assembled(padding) });
}

function accepted(source: string, padding = "", cold = ""): Displacement {
  const found = hookOn(source, padding, cold);
  if (found.kind === "none") throw new Error(found.why);
  return found;
}

function refused(source: string, padding = "", cold = ""): string {
  const found = hookOn(source, padding, cold);
  return found.kind === "none" ? found.code : "accepted";
}

describe("what a hook displaces", () => {
  test("whole instructions, at least five bytes of them, behind endbr64", () => {
    const plain = accepted("push %rbp; mov %rsp,%rbp; sub $0x100,%rsp; leave; ret");
    expect(plain.hookAt).toBe(ENTRY);
    expect(plain.bytes.length).toBe(11);
    expect(plain.instructions).toEqual([0, 1, 4]);
    const marked = accepted("endbr64; push %rbp; mov %rsp,%rbp; push %rbx; nop; pop %rbx; pop %rbp; ret");
    expect(marked.hookAt).toBe(ENTRY + 4);
    expect(marked.instructions).toEqual([0, 1, 4]);
  });

  test("a function that ends before the hook does takes padding up to the next function, of any kind", () => {
    for (const padding of ["nop; nop; nop", "int3; int3; int3", ".byte 0,0,0", "nopw 0x0(%rax,%rax,1)", ".nops 9"]) {
      const found = accepted("xor %eax,%eax; ret", padding);
      expect(found.bytes.length).toBe(5);
      expect(found.fallsThrough).toBe(false);
    }
  });

  test("bytes behind a short function that are something else, or not proved to be no one's, are not taken", () => {
    expect(refused("xor %eax,%eax; ret")).toBe("FUNCTION_TOO_SHORT");
    expect(refused("xor %eax,%eax; ret", "nop")).toBe("FUNCTION_TOO_SHORT");
    expect(refused("xor %eax,%eax; ret", "mov %rax,%rbx")).toBe("FUNCTION_TOO_SHORT");
    expect(refused("xor %eax,%eax", "nop; nop; nop; nop")).toBe("FUNCTION_TOO_SHORT");
  });

  test("system calls, traps and transactions stay where they are", () => {
    for (const first of ["syscall", "int3", "int $0x80", "xbegin . + 0x100", "lcall *8(%rax)"])
      expect([first, refused(`${first}; nop; nop; nop; nop; nop; ret`)]).toEqual([first, "ENTRY_NOT_DISPLACEABLE"]);
    expect(refused("mov (%eip),%eax; nop; ret")).toBe("ENTRY_NOT_DISPLACEABLE");
  });

  test("calls are taken along where they return behind the hook, and by no operand that a push changes", () => {
    for (const first of [
      "call 0x100",
      "push %rbx; call 0x100",
      "call *8(%rip)",
      "call *0x100(%rax)",
      "call *0x10(%r12)",
    ])
      expect([first, refused(`${first}; nop; nop; nop; nop; nop; ret`)]).toEqual([first, "accepted"]);
    for (const first of [
      "call *%rax",
      "call *8(%rax)",
      "nop; nop; call *%rsp",
      "call *0x10(%rsp); nop",
      "push %rbx; call *0x10(%rsp)",
    ])
      expect([first, refused(`${first}; nop; nop; nop; nop; nop; ret`)]).toEqual([first, "ENTRY_NOT_DISPLACEABLE"]);
  });

  test("calls stay where they are where a shadow stack would miss them", () => {
    const pieces = [{ start: ENTRY, bytes: assembled("call 0x100; ret") }];
    const found = displace({ entry: ENTRY, pieces, padding: Buffer.alloc(0), hasShadowStack: true });
    expect(found).toMatchObject({ kind: "none", code: "ENTRY_NOT_DISPLACEABLE" });
  });

  test("a branch into the overwritten bytes from anywhere in the function refuses it; one to the entry does not", () => {
    expect(refused("xor %eax,%eax; 1: inc %eax; cmp %edi,%eax; jne 1b; ret")).toBe("ENTRY_NOT_DISPLACEABLE");
    expect(refused("1: inc %eax; cmp %edi,%eax; nop; jne 1b; ret")).toBe("accepted");
    const cold = `nop; jmp . + 0x800 + 1`;
    expect(refused("xor %eax,%eax; inc %eax; cmp %edi,%eax; ret", "", cold)).toBe("ENTRY_NOT_DISPLACEABLE");
    expect(refused("xor %eax,%eax; inc %eax; cmp %edi,%eax; ret", "", "nop; jmp . + 0x900")).toBe("accepted");
  });

  test("an entry that lies across two pages is refused: its bytes could be written by halves", () => {
    const pieces = [{ start: 0x1ffd, bytes: assembled("push %rbp; mov %rsp,%rbp; nop; nop; ret") }];
    const found = displace({ entry: 0x1ffd, pieces, padding: Buffer.alloc(0) });
    expect(found).toMatchObject({ kind: "none", code: "ENTRY_ACROSS_PAGES" });
  });
});

describe("a trampoline", () => {
  const AT = ENTRY + 0x1234_5670;

  test("refers to what the original referred to, and goes on behind it", () => {
    const displacement = accepted("mov 0x1000(%rip),%rax; ret");
    const { bytes, origins } = trampolineCode(displacement, AT);
    expect(AT + 7 + bytes.readInt32LE(3)).toBe(ENTRY + 7 + 0x1000);
    expect(jumpTarget(AT + 7, bytes.subarray(7))).toBe(ENTRY + 7);
    expect(origins).toEqual([
      { offset: 0, original: ENTRY },
      { offset: 7, original: ENTRY + 7 },
    ]);
  });

  test("branches to where the original branched, whatever the size of the branch", () => {
    const displacement = accepted("test %edi,%edi; je 1f; mov $1,%eax; 1: ret; jmp 1b");
    const { bytes, origins } = trampolineCode(displacement, AT);
    expect([...bytes.subarray(2, 4)]).toEqual([0x0f, 0x84]);
    expect(AT + 8 + bytes.readInt32LE(4)).toBe(ENTRY + 9);
    expect(origins.map(({ original }) => original - ENTRY)).toEqual([0, 2, 4, 9]);
    const jump = trampolineCode(accepted("jmp . + 0x70; nop; nop; nop; nop"), AT);
    expect(jumpTarget(AT, jump.bytes)).toBe(ENTRY + 0x70);
  });

  test("pushes the address behind a call from a word of its own, and jumps to whom it calls", () => {
    const { bytes, origins, pushed } = trampolineCode(accepted("push %rbx; call . + 0x105; nop; ret"), AT);
    expect(bytes[0]).toBe(0x53);
    expect([...bytes.subarray(1, 3)]).toEqual([0xff, 0x35]);
    expect(bytes.readBigUInt64LE(7 + bytes.readInt32LE(3))).toBe(BigInt(ENTRY + 6));
    expect(jumpTarget(AT + 7, bytes.subarray(7))).toBe(ENTRY + 1 + 0x105);
    expect(origins.map(({ original }) => original - ENTRY)).toEqual([0, 1]);
    expect(pushed).toEqual({ offset: 7, original: ENTRY + 1 });
  });

  test("jumps by the operand of an indirect call, moved with it", () => {
    const { bytes } = trampolineCode(accepted("call *0x200(%rip); ret"), AT);
    expect([...bytes.subarray(6, 8)]).toEqual([0xff, 0x25]);
    expect(AT + 12 + bytes.readInt32LE(8)).toBe(ENTRY + 6 + 0x200);
    const table = trampolineCode(accepted("call *0x1000(%r12,%rax,8); ret"), AT).bytes;
    expect(table.subarray(6, 14)).toEqual(assembled("jmp *0x1000(%r12,%rax,8)"));
  });

  test("branches far where the original counts, or looks at rcx, and reaches a byte's distance", () => {
    for (const first of ["jrcxz", "jecxz", "loop", "loope", "loopne"]) {
      const { bytes } = trampolineCode(accepted(`dec %eax; ${first} 1f; nop; nop; nop; 1: ret`), AT);
      const short = assembled(`${first} . + 4`).length - 1;
      const at = 2 + short;
      expect([...bytes.subarray(at, at + 3)]).toEqual([2, 0xeb, 5]);
      expect(jumpTarget(AT + at + 3, bytes.subarray(at + 3))).toBe(ENTRY + 2 + short + 1 + 3);
    }
  });

  test("of a function that ends within the hook has no way back", () => {
    const { bytes } = trampolineCode(accepted("xor %eax,%eax; ret", ".nops 9"), AT);
    expect(bytes).toEqual(assembled("xor %eax,%eax; ret"));
  });

  test("is never longer than was said, and decodes to the same instructions", () => {
    for (const source of [
      "je . + 0x10; jne . + 0x20; nop; ret",
      "endbr64; lea 8(%rip),%rdi; jmp . + 0x300",
      "movaps 0x10(%rip),%xmm0; ret",
      "cmpl $5,0x100(%rip); ret",
      "push %rax; call . + 0x300; ret",
      "call *0x300(%rip); ret",
      "jrcxz . + 5; loop . + 9; nop; ret",
    ]) {
      const displacement = accepted(source);
      const { bytes, origins } = trampolineCode(displacement, AT);
      expect(bytes.length).toBeLessThanOrEqual(trampolineSize(displacement));
      for (const { offset } of origins) expect(decodeInstruction(bytes, offset)).toBeDefined();
    }
  });

  test("out of reach of an operand throws rather than wrap around", () => {
    const displacement = accepted("mov 0x1000(%rip),%rax; ret");
    expect(() => trampolineCode(displacement, ENTRY + 2 ** 32)).toThrow(RangeError);
  });
});
