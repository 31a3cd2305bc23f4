import { expect, test } from "vitest";
import { stackFlow } from "./stack-flow.ts";

const BASE = 0x1000;
const of = (hex: string) => stackFlow(Buffer.from(hex, "hex"), BASE);

/** As binutils assembles them. */
const LOADS: Readonly<Record<string, string>> = {
  "mov %rsi, %rsp": "4889f4",
  "mov %r8, %rsp": "4c89c4",
  "mov 0xa0(%rdi), %rsp": "488ba7a0000000",
  "mov (%r12), %rsp": "498b2424",
  "xchg %rsp, %rax": "4894",
  "xchg %rsp, (%rdi)": "488727",
  "pop %rsp": "5c",
  "lea -8(%r10), %rsp": "498d62f8",
};

test.each(Object.entries(LOADS))("%s takes a stack pointer from elsewhere", (_name, hex) => {
  expect(of(`53${hex}5bc3`).mayLoad).toBe(true);
});

const KEEPS: Readonly<Record<string, string>> = {
  "push %r12; pop %r12": "4154415c",
  "mov %rsp, %rbp; mov %rbp, %rsp": "4889e54889ec",
  "sub $8, %rsp; add $8, %rsp": "4883ec084883c408",
  "lea -0x20(%rbp), %rsp": "488d65e0",
  "and $-16, %rsp": "4883e4f0",
  "mov %rsp, (%rdi)": "488927",
  "call *%rax; leave": "ffd0c9",
};

test.each(Object.entries(KEEPS))("%s does not", (_name, hex) => {
  expect(of(`53${hex}5bc3`)).toEqual({ mayLoad: false, leads: [], slots: [], jumps: [] });
});

test("where it may go on without a return is told", () => {
  // jne +2; jmp 0x2000; ret
  expect(of("7502" + "e9f90f0000" + "c3").leads).toEqual([0x2000]);
  // endbr64; jmp *0x2fe5(%rip)
  expect(of("f30f1efa" + "ff25e52f0000").slots).toEqual([BASE + 10 + 0x2fe5]);
  // jmp *%rax; jmp *(,%rax,8)
  expect(of("ffe0" + "ff24c500104000").jumps).toEqual([BASE, BASE + 2]);
  expect(of("e8fbffffff" + "c3").leads).toEqual([]);
});

test("what is no instruction may be anything", () => {
  expect(of("06").mayLoad).toBe(true);
});
