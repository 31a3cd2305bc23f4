import { describe, expect, test } from "vitest";
import { REGISTER, X86Registers } from "./registers.ts";

const EPOLL_WAIT = 232n;
const CLOSE = 3n;
const POLL = 7;
const RESTART_SYSCALL = 219n;
const NO_CALL = 2n ** 64n - 1n;
const PC = 0x7fff_1234_5678;

function inCall(number: bigint, result: bigint): X86Registers {
  const registers = new X86Registers();
  registers.pc = PC;
  registers.bytes.writeBigUInt64LE(number, REGISTER.origRax);
  registers.bytes.writeBigInt64LE(result, REGISTER.rax);
  return registers;
}

describe("a system call that a stop has interrupted", () => {
  test("is left to the kernel's rule where it would fail with EINTR", () => {
    const registers = inCall(EPOLL_WAIT, -4n);
    expect(registers.leaveInterruptedCall()).toBe(true);
    expect(registers.result).toBe(-514);
    expect(registers.leaveInterruptedCall()).toBe(false);
  });

  test.each([
    ["outside of a system call", inCall(NO_CALL, -4n)],
    ["that has had its effect", inCall(CLOSE, -4n)],
    ["that has returned", inCall(EPOLL_WAIT, 4n)],
    ["that has failed otherwise", inCall(EPOLL_WAIT, -11n)],
  ])("is left alone %s", (_name, registers) => {
    const before = Buffer.from(registers.bytes);
    expect(registers.leaveInterruptedCall()).toBe(false);
    expect(registers.bytes).toEqual(before);
  });

  test.each([-512n, -513n, -514n, -516n])("is about to be made again when it is taken back, result %s", (result) => {
    const registers = inCall(EPOLL_WAIT, result);
    registers.takeBackCall(undefined);
    expect(registers.pc).toBe(PC - 2);
    expect(registers.bytes.readBigUInt64LE(REGISTER.rax)).toBe(EPOLL_WAIT);
    expect(registers.bytes.readBigUInt64LE(REGISTER.origRax)).toBe(NO_CALL);
  });

  test("and interrupted a second time has the number that is told", () => {
    const registers = inCall(RESTART_SYSCALL, -516n);
    registers.takeBackCall(POLL);
    expect(registers.bytes.readBigUInt64LE(REGISTER.rax)).toBe(BigInt(POLL));
  });

  test("and that has returned has no number", () => {
    const registers = inCall(RESTART_SYSCALL, 1n);
    registers.takeBackCall(POLL);
    expect([registers.pc, registers.result]).toEqual([PC, 1]);
  });

  test.each([
    ["it made first", inCall(BigInt(POLL), -516n), POLL],
    ["has waited on by", inCall(RESTART_SYSCALL, -516n), 219],
    ["the kernel makes again itself", inCall(EPOLL_WAIT, -514n), undefined],
    ["it is not in", inCall(NO_CALL, -516n), undefined],
  ])("is told as one that waits on, or not: that which %s", (_name, registers, number) => {
    expect(registers.waitsOnBy).toBe(number);
  });

  test.each([
    [REGISTER.rax, true],
    [REGISTER.origRax, true],
    [REGISTER.rcx, true],
    [REGISTER.r11, true],
    [REGISTER.rip, false],
    [REGISTER.rsp, false],
    [REGISTER.rdi, false],
    [REGISTER.rsi, false],
    [REGISTER.rdx, false],
    [REGISTER.r10, false],
    [REGISTER.r9, false],
    [REGISTER.r15, false],
    [REGISTER.fsBase, false],
  ])("is the same one where the register at %i is another, or not: %s", (at, isSame) => {
    const registers = inCall(BigInt(POLL), -516n);
    const other = registers.copy();
    other.bytes.writeBigUInt64LE(0x1234n, at);
    expect(other.isOfSameCall(registers)).toBe(isSame);
    expect(registers.isOfSameCall(registers.copy())).toBe(true);
  });

  test("stays where it is once it has returned", () => {
    const registers = inCall(EPOLL_WAIT, 1n);
    registers.takeBackCall(undefined);
    expect([registers.pc, registers.result]).toEqual([PC, 1]);
  });
});

test("a system call has its arguments where the kernel looks for them", () => {
  const registers = new X86Registers();
  registers.enterSystemCall(9, [1, 2, 3, 4, -1, 6], 0x1000, 0x2000);
  const at = [REGISTER.rdi, REGISTER.rsi, REGISTER.rdx, REGISTER.r10, REGISTER.r8, REGISTER.r9];
  expect(at.map((place) => registers.bytes.readBigInt64LE(place))).toEqual([1n, 2n, 3n, 4n, -1n, 6n]);
  expect(registers).toMatchObject({ pc: 0x1000, sp: 0x2000, result: 9 });
});

test("a function is entered as the ABI has it: direction flag clear, no system call to be restarted", () => {
  const registers = inCall(EPOLL_WAIT, -512n);
  registers.bytes.writeUInt32LE(0x400 | 2, REGISTER.eflags);
  registers.enterFunction(0x1000, 0x2008);
  expect(registers).toMatchObject({ pc: 0x1000, sp: 0x2008, result: 0 });
  expect(registers.bytes.readUInt32LE(REGISTER.eflags)).toBe(2);
  expect(registers.bytes.readBigUInt64LE(REGISTER.origRax)).toBe(NO_CALL);
});

test("columns are by the numbers of call-frame information", () => {
  const registers = new X86Registers();
  const [RBP, RSP, RIP] = [6, 7, 16];
  registers.pc = 0x1000;
  registers.sp = 0x2000;
  registers.bytes.writeBigUInt64LE(0x3000n, REGISTER.rbp);
  const columns = new Float64Array(17);
  registers.fillColumns(columns);
  expect([columns[RIP], columns[RSP], columns[RBP]]).toEqual([0x1000, 0x2000, 0x3000]);
});
