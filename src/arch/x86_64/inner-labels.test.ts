import { expect, test } from "vitest";
import { innerLabels } from "./inner-labels.ts";

const of = (hex: string, base: number, more: readonly { start: number; end: number }[] = []) => {
  const code = Buffer.from(hex, "hex");
  return innerLabels(code, base, [{ start: base, end: base + code.length }, ...more]);
};

test("a label that is taken relative to the instruction pointer, or as a constant, is found", () => {
  // lea 3(%rip), %rax; push %rax; jmp *%rdi
  expect(of("488d0503000000" + "50" + "ffe7" + "90", 0x5555_5555_0000)).toEqual([0x5555_5555_000a]);
  // movq $0x400009, (%rdi); ret; nop
  expect(of("48c70709004000" + "c3" + "9090", 0x40_0000)).toEqual([0x40_0009]);
});

test("one in another part of the function is found, and where a part starts is none", () => {
  const cold = [{ start: 0x1100, end: 0x1110 }];
  // lea 0xfd(%rip), %rax: 0x1104
  expect(of("488d05fd000000", 0x1000, cold)).toEqual([0x1104]);
  expect(of("488d05f9000000", 0x1000, cold)).toEqual([]);
  expect(of("488d05f9ffffff", 0x1000)).toEqual([]);
});

test("what is loaded from there, and branches, take no address", () => {
  // mov 1(%rip), %rax; jmp +1
  expect(of("488b0501000000" + "e901000000" + "90", 0x5555_5555_0000)).toEqual([]);
});
