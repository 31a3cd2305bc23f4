import { setTimeout } from "node:timers/promises";
import { afterAll, describe, expect, test } from "vitest";
import type { Registers } from "../../src/arch/registers.ts";
import { Unwinder } from "../../src/process/stack/unwinder.ts";
import { Shadow } from "./unwind-shadow.ts";
import { Programs, Tracee } from "./unwind-tracee.ts";

const programs = new Programs();
afterAll(() => programs[Symbol.dispose]());

/** Looked at, at the least: stops of all threads, and stacks that could be compared. */
const STOPS = 200;
const STACKS = 1000;
/** Single instructions, at the least, after each of which a stack is looked at. */
const STEPS = 12_000;

const NOTED = [
  "-finstrument-functions",
  "-finstrument-functions-exclude-file-list=/usr/",
  ...["-fno-inline", "-fno-optimize-sibling-calls", "-w", "-pthread"],
];

const VARIANTS: readonly (readonly [string, string, string, ...string[]])[] = [
  ["optimized", "many-threads.c", "gcc", "-O2"],
  ["not optimized", "many-threads.c", "gcc", "-O0"],
  ["static", "many-threads.c", "gcc", "-O2", "-static"],
  ["static and position-independent", "many-threads.c", "gcc", "-O2", "-static-pie"],
  ["not position-independent", "many-threads.c", "gcc", "-O2", "-no-pie"],
  ["with frame pointers", "many-threads.c", "gcc", "-O2", "-fno-omit-frame-pointer"],
  ["for size, bound lazily", "many-threads.c", "gcc", "-Os", "-Wl,-z,lazy", "-fcf-protection"],
  ["without a search table", "many-threads.c", "gcc", "-O2", "-Wl,--no-eh-frame-hdr"],
  ["of C++, with exceptions", "exceptions.cc", "g++", "-O2"],
];

/** Also at its last instruction, a jump by a register with nothing of its own left on the stack. */
const LEAVING = /^unreliable: (no way on|the frame of 0x\w+ \(\S*\/libgcc_s\.)/;

/**
 * What is wrong with a stack. Where libgcc's unwinder leaves for a landing pad it
 * has moved the stack pointer, and its call-frame information does not say so: of
 * C++ such moments may be called unreliable, and no stack may be wrong.
 */
function wrong(difference: string | undefined, compiler: string): string | undefined {
  return compiler === "g++" && LEAVING.test(difference ?? "") ? undefined : difference;
}

describe.each(VARIANTS)("a program %s", (_, source, compiler, ...options) => {
  const program = programs.compiled(source, compiler, ...options, ...NOTED);

  test("has every call of every thread on its stack, whenever it is stopped", async () => {
    using tracee = await Tracee.started(program);
    const unwinder = new Unwinder(tracee.pid, tracee.memory);
    unwinder.prepare();
    tracee.stop();
    const shadow = new Shadow(tracee, program);
    for (let stop = 0; stop < STOPS || shadow.seen.stacks <= STACKS; stop++) {
      unwinder.beginStop();
      for (const [thread, registers] of tracee.threads) {
        expect(wrong(shadow.difference(thread, unwinder.stack(registers)), compiler)).toBeUndefined();
      }
      tracee.resume();
      await setTimeout(3);
      tracee.stop();
    }
  });

  test("has every call on its stack after each single instruction", async () => {
    using tracee = await Tracee.started(program);
    const unwinder = new Unwinder(tracee.pid, tracee.memory);
    unwinder.prepare();
    tracee.stop();
    const shadow = new Shadow(tracee, program);
    const threads = [...tracee.threads.keys()].filter((each) => each !== tracee.pid);
    let thread = threads.pop() as number;
    unwinder.beginStop();
    for (let count = 0; count < STEPS || shadow.seen.stacks <= STACKS; count++) {
      // Some wait for ever, and some for a lock that another one has.
      while (!tracee.step(thread)) thread = threads.pop() as number;
      const registers = tracee.threads.get(thread) as Registers;
      expect(wrong(shadow.difference(thread, unwinder.stack(registers)), compiler)).toBeUndefined();
    }
  });
});
