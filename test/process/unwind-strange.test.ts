import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { Registers } from "../../src/arch/registers.ts";
import type { Stack } from "../../src/core/machine.ts";
import { readElf } from "../../src/elf/read.ts";
import { readMappings } from "../../src/process/os/mappings.ts";
import { mappedImage, openImage } from "../../src/process/stack/image-bytes.ts";
import { framesOf } from "../../src/process/stack/image-frames.ts";
import { readLayout } from "../../src/process/stack/image-layout.ts";
import { codeRegion } from "../../src/process/stack/regions.ts";
import { Unwinder } from "../../src/process/stack/unwinder.ts";
import { Programs, Tracee } from "./unwind-tracee.ts";

const programs = new Programs();
afterAll(() => programs[Symbol.dispose]());
const strange = programs.compiled("strange.c", "gcc", "-O2", "-w");

/** The stack of a process's only thread. */
function stackOf(tracee: Tracee, unwinder = new Unwinder(tracee.pid, tracee.memory)): Stack {
  unwinder.prepare();
  if (tracee.threads.size === 0) tracee.stop();
  unwinder.beginStop();
  const [registers] = tracee.threads.values();
  return unwinder.stack(registers as Registers);
}

const why = (stack: Stack): string => (stack.kind === "reliable" ? "reliable" : stack.why);

test.each([
  ["nothing strange", /^reliable$/],
  ["own-signal-return", /^reliable$/],
  ["coroutine", /^its stack pointer 0x\w+ is outside of the thread's own stack/],
  ["coroutine-mapped", /^its stack pointer 0x\w+ is outside of the thread's own stack/],
  ["made-at-run-time", /^no way on from 0x\w+: it is code that was made at run time/],
  ["without-information", /^no way on from 0x\w+ \(\/.*\+0x\w+\): no frame information covers it$/],
  ["wrong-information", /^the frame of 0x\w+ \(\/.*\+0x\w+\) does not lie on the stack above the one before it$/],
  ["in-a-circle", /^the frame of 0x\w+ \(\/.*\+0x\w+\) does not lie on the stack above the one before it$/],
])("a stack with %s is told from a sound one", async (which, expected) => {
  using tracee = await Tracee.started(strange, which);
  const stack = stackOf(tracee);
  expect(why(stack)).toMatch(expected);
  expect(stack.frames.length).toBeGreaterThan(0);
});

test("a program whose file was deleted is unwound by the file that it runs", async () => {
  const program = join(programs.directory, "deleted");
  copyFileSync(strange, program);
  using tracee = await Tracee.started(program);
  rmSync(program);
  expect(why(stackOf(tracee))).toBe("reliable");
});

test("a program whose file was replaced is unwound by the file that it runs", async () => {
  const program = join(programs.directory, "replaced");
  copyFileSync(strange, program);
  using tracee = await Tracee.started(program);
  rmSync(program);
  writeFileSync(program, "something else");
  expect(why(stackOf(tracee))).toBe("reliable");
});

test("frame information read from memory is the same as that of the file", async () => {
  using tracee = await Tracee.started(strange);
  const mappings = readMappings(tracee.pid);
  const images = mappings.filter((each) => each.inode !== 0 && each.offset === 0);
  expect(images.length).toBeGreaterThanOrEqual(3);
  for (const { start, name } of images) {
    const found = [openImage(name, name), mappedImage(tracee.memory, start, name)].map((bytes) => {
      const layout = readLayout(bytes);
      const frames = layout && framesOf(bytes, layout);
      return frames?.kind === "frames" ? frames.table : undefined;
    });
    const file = readElf(readFileSync(name), name);
    const text = file.sections.find((section) => section.name === ".text");
    const end = Number(text?.address) + (text?.size ?? 0);
    let covered = 0;
    for (let address = Number(text?.address); address < end; address += 97) {
      const [inFile, inMemory] = found.map((table) => table?.find(address));
      expect([inMemory?.start, inMemory?.end, inMemory?.offset]).toEqual([inFile?.start, inFile?.end, inFile?.offset]);
      if (inFile !== undefined) covered++;
    }
    expect(covered).toBeGreaterThan(3);
  }
});

test("code that was brought into the process is unwound as its region says", async () => {
  using tracee = await Tracee.started(strange, "made-at-run-time");
  const code = readMappings(tracee.pid).find(({ executable, inode, name }) => executable && inode === 0 && name === "");
  const { start = 0, end = 0 } = code ?? {};
  const unwinder = new Unwinder(tracee.pid, tracee.memory);

  // sub $8, %rsp; call *%rdi: an .eh_frame with one CIE and one FDE, at an address of its own.
  const ehFrame = Buffer.from(
    "1400000000000000017a5200017810011b0c070890010000" +
      "140000001c000000" +
      "00000000" +
      "06000000" +
      "00440e1000000000",
    "hex",
  );
  ehFrame.writeInt32LE(-0x1000 - 32, 32);
  const address = start + 0x1000;
  unwinder.setRegions([codeRegion(start, end, { data: ehFrame, address })]);
  const described = stackOf(tracee, unwinder);
  expect(why(described)).toBe("reliable");
  expect(described.frames.some(({ ip }) => ip === start + 6)).toBe(true);

  unwinder.setRegions([{ kind: "stub", start, end }]);
  expect(why(stackOf(tracee, unwinder))).not.toBe("reliable");
});

test("an instruction in a trampoline is told as the one that it stands for", async () => {
  using tracee = await Tracee.started(strange);
  const unwinder = new Unwinder(tracee.pid, tracee.memory);
  const stack = stackOf(tracee, unwinder);
  const [registers] = tracee.threads.values();
  const ip = stack.frames[0]?.ip as number;
  const moved = (registers as Registers).copy();
  const start = 0x10000;
  moved.pc = start + 3;
  unwinder.setRegions([
    { kind: "trampoline", start, end: start + 16, original: (address) => address - start - 3 + ip },
  ]);
  expect(unwinder.stack(moved)).toEqual(stack);
});

test("the vdso is unwound from memory", async () => {
  using tracee = await Tracee.started(strange);
  const unwinder = new Unwinder(tracee.pid, tracee.memory);
  const stack = stackOf(tracee, unwinder);
  const vdso = readMappings(tracee.pid).find(({ name }) => name === "[vdso]");
  const bytes = mappedImage(tracee.memory, vdso?.start ?? 0, "[vdso]");
  const layout = readLayout(bytes);
  const frames = layout && framesOf(bytes, layout);
  if (frames?.kind !== "frames") throw new Error("the vdso has no frame information");
  const entry = readElf(tracee.memory.read(vdso?.start ?? 0, (vdso?.end ?? 0) - (vdso?.start ?? 0)) as Buffer, "vdso");
  const { value = 0n } = entry.dynamicSymbols.find(({ name }) => name === "__vdso_clock_gettime") ?? {};
  expect(frames.table.find(Number(value))?.start).toBe(Number(value));

  // At its first instruction, as if what runs had been about to call it.
  const [registers] = tracee.threads.values();
  const moved = (registers as Registers).copy();
  moved.pc = (vdso?.start ?? 0) + Number(value);
  const first = stack.frames[0];
  moved.sp = (first?.cfa ?? 0) - 8;
  expect(unwinder.stack(moved).frames.slice(1)).toEqual(stack.frames.slice(1));
});
