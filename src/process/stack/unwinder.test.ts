import { describe, expect, test } from "vitest";
import type { Registers } from "../../arch/registers.ts";
import type { Stack } from "../../core/machine.ts";
import type { Mapping } from "../os/mappings.ts";
import { nativeHook, nativeLinux, nativeUnwind } from "../os/native.ts";
import { ImageStore } from "./images.ts";
import { CFA, ehFrame, MadeUpMemory } from "./made-up-stack.fixture.ts";
import { codeRegion, type Region } from "./regions.ts";
import { Unwinder } from "./unwinder.ts";

/** Larger than any pid. */
const NOBODY = 2 ** 30;
const WORD = 8;
const STACK = { start: 0x7000_0000, end: 0x7000_4000 };
const { framePointer, stackPointer, returnAddress, signalFrame } = nativeUnwind();

/** Leaves the stack alone; saves the frame pointer and uses it; is called by nobody. */
const LEAF = { start: 0x1000, end: 0x1010, rules: [] };
const FRAMED = {
  start: 0x1010,
  end: 0x1030,
  rules: [
    ...CFA.advance(1),
    ...CFA.offset(16),
    ...CFA.saved(framePointer, 2),
    ...CFA.advance(3),
    ...CFA.register(framePointer),
    ...CFA.advance(16),
    ...CFA.define(stackPointer, 8),
  ],
};
const FIRST = { start: 0x1030, end: 0x1040, rules: CFA.unknown(returnAddress) };
const CODE = codeRegion(0x1000, 0x1040, { data: ehFrame([LEAF, FRAMED, FIRST]), address: 0x9_0000 });

const mapping = (start: number, end: number, rest: Partial<Mapping>): Mapping => ({
  ...{ start, end, readable: true, writable: false, executable: false },
  ...{ offset: 0, device: "00:00", inode: 0, name: "" },
  ...rest,
});
const STACK_MAPPING = mapping(STACK.start, STACK.end, { writable: true, name: "[stack]" });

interface Program {
  readonly memory: MadeUpMemory;
  readonly registers: Registers;
  stack(): Stack;
}

function program(
  regions: readonly Region[] = [CODE],
  mappings = [STACK_MAPPING],
  images = new ImageStore(),
  memory = new MadeUpMemory(),
): Program {
  memory.add(STACK.start, Buffer.alloc(STACK.end - STACK.start));
  const registers = nativeLinux().newRegisters();
  const unwinder = new Unwinder(NOBODY, memory, images, () => mappings);
  unwinder.setRegions(regions);
  unwinder.prepare({ mappings, warmUp: 0 });
  return {
    memory,
    registers,
    stack() {
      unwinder.beginStop();
      return unwinder.stack(registers);
    },
  };
}

/** Its value at the caller's, by its place in what the kernel hands out. */
function setFramePointer(registers: Registers, value: number): void {
  const columns = new Float64Array(nativeUnwind().columns);
  for (let at = 0; at + WORD <= registers.bytes.length; at += WORD) {
    const before = Buffer.from(registers.bytes);
    registers.bytes.fill(0, at, at + WORD);
    registers.bytes[at] = 1;
    registers.fillColumns(columns);
    before.copy(registers.bytes);
    if (columns[framePointer] !== 1) continue;
    const copy = Buffer.alloc(WORD);
    copy.writeBigUInt64LE(BigInt(value));
    copy.copy(registers.bytes, at);
    return;
  }
  throw new Error("the machine has no frame pointer");
}

/** A leaf that FRAMED has called, which FIRST has. */
function calledLeaf(): Program {
  const made = program();
  const sp = STACK.end - 0x100;
  made.registers.pc = LEAF.start + 4;
  made.registers.sp = sp;
  setFramePointer(made.registers, sp + 0x20);
  made.memory.write(sp, FRAMED.start + 8);
  made.memory.write(sp + 0x20, 0xf00d, FIRST.start + 4);
  return made;
}

test("every frame is found, by the stack pointer and by the frame pointer, to the one that nobody has called", () => {
  const { stack, registers } = calledLeaf();
  const sp = registers.sp;
  expect(stack()).toEqual({
    kind: "reliable",
    frames: [
      { ip: LEAF.start + 4, isReturn: false, cfa: sp + 8 },
      { ip: FRAMED.start + 8, isReturn: true, cfa: sp + 0x30 },
      { ip: FIRST.start + 4, isReturn: true, cfa: sp + 0x38 },
    ],
  });
});

test("a call that is the last instruction of a function is that function's, and not of what lies behind it", () => {
  const { stack, registers, memory } = calledLeaf();
  memory.write(registers.sp, FRAMED.end, LEAF.start + 8, FIRST.start + 4);
  const frames = [LEAF.start + 4, FRAMED.end, LEAF.start + 8, FIRST.start + 4];
  expect(stack()).toMatchObject({ kind: "reliable", frames: frames.map((ip) => ({ ip })) });
});

describe("the caller is the same at each instruction of a prologue and an epilogue", () => {
  const sp = STACK.end - 0x100;
  test.each([
    { name: "at the entry", offset: 0, at: sp, pointer: 0xf00d },
    { name: "with the frame pointer saved", offset: 1, at: sp - 8, pointer: 0xf00d },
    { name: "with the frame pointer in use", offset: 4, at: sp - 0x40, pointer: sp - 8 },
    { name: "before the return", offset: 20, at: sp, pointer: 0xf00d },
  ])("$name", ({ offset, at, pointer }) => {
    const { stack, registers, memory } = program();
    registers.pc = FRAMED.start + offset;
    registers.sp = at;
    setFramePointer(registers, pointer);
    memory.write(sp - 8, 0xf00d, FIRST.start + 4);
    const found = stack();
    expect(found.kind).toBe("reliable");
    expect(found.frames[1]).toMatchObject({ ip: FIRST.start + 4, isReturn: true });
  });
});

describe("a stack is unreliable, and says why, where", () => {
  const why = (stack: Stack): string => (stack.kind === "unreliable" ? stack.why : "it is reliable");

  test("a return address leads to no code", () => {
    const { stack, registers, memory } = calledLeaf();
    memory.write(registers.sp, 0x5_0000);
    expect(why(stack())).toMatch(/0x50000: it is no code of the process/);
  });

  test("the stack of a caller does not lie above", () => {
    const { stack, registers } = calledLeaf();
    setFramePointer(registers, registers.sp - 0x40);
    expect(why(stack())).toMatch(/does not lie on the stack above/);
  });

  test("the stack pointer is in no memory that can be a stack", () => {
    const { stack, registers } = calledLeaf();
    registers.sp = 0x6000_0000;
    expect(why(stack())).toMatch(/outside of the thread's own stack/);
  });

  test("the stack is none that the kernel or the C library has made for the thread", () => {
    const made = program([CODE], [{ ...STACK_MAPPING, name: "" }]);
    made.registers.pc = FIRST.start + 4;
    made.registers.sp = STACK.end - 0x100;
    expect(why(made.stack())).toMatch(/outside of the thread's own stack/);
  });

  test("code was made at run time", () => {
    const made = program([CODE], [mapping(0x5_0000, 0x5_1000, { executable: true }), STACK_MAPPING]);
    made.registers.pc = 0x5_0010;
    made.registers.sp = STACK.end - 0x100;
    expect(why(made.stack())).toMatch(/made at run time/);
  });
});

test("a thread that handles a signal was interrupted, and did not call: its frame is at the instruction itself", () => {
  const handler = 0x5_0000;
  const restorer = 0x5_0100;
  const { memory, stack, registers } = program(
    [CODE, { kind: "stub", start: handler, end: handler + 0x10 }],
    [STACK_MAPPING],
  );
  const code = Buffer.alloc(0x40);
  nativeLinux().gadgets.signalReturns[0]?.copy(code);
  memory.add(restorer, code);
  const frame = STACK.end - 0x400;
  registers.pc = handler;
  registers.sp = frame - WORD;
  memory.write(frame - WORD, restorer);
  const interrupted = STACK.end - 0x80;
  memory.write(frame + (signalFrame[returnAddress] as number), LEAF.start + 2);
  memory.write(frame + (signalFrame[stackPointer] as number), interrupted);
  memory.write(interrupted, FIRST.start + 4);
  const found = stack();
  expect(found).toMatchObject({ kind: "reliable" });
  expect(found.frames.map(({ ip, isReturn }) => [ip, isReturn])).toEqual([
    [handler, false],
    [restorer, true],
    [LEAF.start + 2, false],
    [FIRST.start + 4, true],
  ]);
});

test("code in a trampoline stands for the original, instruction by instruction", () => {
  const start = 0x6_0000;
  const original = (ip: number): number => FRAMED.start + ip - start;
  const region: Region = { kind: "trampoline", start, end: start + 0x10, original };
  const { stack, registers, memory } = program([CODE, region]);
  registers.pc = start + 1;
  registers.sp = STACK.end - 0x100;
  memory.write(registers.sp, 0xf00d, FIRST.start + 4);
  expect(stack().frames.map(({ ip }) => ip)).toEqual([FRAMED.start + 1, FIRST.start + 4]);
});

test("a library in whose place another one was loaded is not unwound by the tables of the first", () => {
  const library = codeRegion(0x1000, 0x2000, {
    data: ehFrame([{ ...FIRST, start: 0x1000, end: 0x2000 }]),
    address: 0x9_0000,
  });
  class OneImage extends ImageStore {
    override load() {
      const segment = { offset: 0, address: 0x1000, fileSize: 0x1000, alignment: 0x1000, executable: true };
      const none = { searchTable: undefined, notes: [], sectionHeaders: { offset: 0, count: 0, names: 0 } };
      const rows = library.kind === "code" ? library.rows : undefined;
      return { name: "lib.so", layout: { segments: [segment], ...none }, rows, why: "" };
    }
  }
  const at = 0x40_0000;
  const mapped = mapping(at, at + 0x1000, { executable: true, inode: 7, name: "lib.so" });
  const mappings = [mapped, STACK_MAPPING];
  const bytes = Buffer.alloc(0x1000, nativeHook().jump(at, at + 0x100));
  const memory = new MadeUpMemory();
  memory.add(at, bytes);
  const { stack, registers } = program([], mappings, new OneImage(), memory);
  registers.pc = at + 0x10;
  registers.sp = STACK.end - 0x100;
  expect(stack().kind).toBe("reliable");
  // What lies at its beginning is something else, and the process says that it has closed it.
  bytes.fill(0, 0, 64);
  mappings.shift();
  expect(stack()).toMatchObject({ kind: "unreliable", why: expect.stringContaining("no code of the process") });
});
