/** The operands of instructions, compared with what objdump says of them. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readElf } from "../../elf/read.ts";
import { decodeParts, type Parts } from "./instruction-parts.ts";

const NAMES = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split(" ");

function number(name: string): number {
  return NAMES.indexOf(name);
}

interface Shown {
  readonly at: number;
  readonly text: string;
}

function disassembled(path: string, from: number, to: number): Shown[] {
  const range = [`--start-address=${from}`, `--stop-address=${to}`];
  const shown = execFileSync("objdump", ["-d", "-j", ".text", "-w", "--no-show-raw-insn", ...range, path], {
    encoding: "latin1",
    maxBuffer: 1 << 30,
  });
  return shown.split("\n").flatMap((line) => {
    const match = /^ *([0-9a-f]+):\t(.*)$/.exec(line);
    return match === null ? [] : [{ at: Number.parseInt(match[1] as string, 16), text: (match[2] as string).trim() }];
  });
}

/** `-0x8(%rax,%rbx,4)`, `0x10(%rip)`, `%fs:0x28`. */
function memoryOf(text: string) {
  const match = /(?:%([fg]s):)?(-?0x[0-9a-f]+)?\((%\w+)?(?:,(%\w+),\d)?\)/.exec(text);
  if (match === null) return undefined;
  const [, segment, displacement, base, index] = match;
  const isRip = base === "%rip";
  return {
    base: base === undefined || isRip ? undefined : number(base.slice(1)),
    index: index === undefined || index === "%riz" ? undefined : number(index.slice(1)),
    displacement:
      displacement === undefined ? 0 : Number(displacement.replace("-", "")) * (displacement[0] === "-" ? -1 : 1),
    isRipRelative: isRip,
    isOfSegment: segment !== undefined,
  };
}

/** Instructions whose operands are all 64-bit registers and memory, which are told by their names alone. */
const PLAIN = /^(mov|lea|add|sub|xor|and|or|cmp|test|xchg|cmov\w+|imul) +[^,]+(\([^)]*\))?,/;

function registersOf(text: string): number[] {
  const outside = text.replace(/(?:%[fg]s:)?(?:-?0x[0-9a-f]+)?\([^)]*\)/, "");
  return [...outside.matchAll(/%(r\w+)/g)].map(([, name]) => number(name as string));
}

function registersIn({ reg, rm }: Parts): number[] {
  return rm === undefined ? [reg] : [reg, rm];
}

test("memory operands and registers are those that objdump shows", () => {
  const path = "/lib/x86_64-linux-gnu/libc.so.6";
  const file = readElf(readFileSync(path), path);
  const section = file.sections.find(({ name }) => name === ".text");
  const from = Number(section?.address);
  const code = section?.data.subarray(0, 1 << 20) ?? Buffer.alloc(0);
  const wrong: string[] = [];
  let memories = 0;
  let registers = 0;
  for (const { at, text } of disassembled(path, from, from + code.length - 16)) {
    if (/\(bad\)|\.byte|^(rex|data16|nop|cs |ds |bnd)|%(e|[xyz]mm|k)\w+[,)]|%ymm|%zmm|%k\d|\*/.test(text)) continue;
    const parts = decodeParts(code, at - from);
    if (parts === undefined) {
      wrong.push(`${at.toString(16)}: ${text}: nothing`);
      continue;
    }
    const memory = memoryOf(text);
    if (memory !== undefined && parts.memory !== undefined) {
      memories++;
      const { base, index, displacement, isRipRelative, isOfSegment } = parts.memory;
      const ours = { base, index, displacement, isRipRelative, isOfSegment };
      if (JSON.stringify(ours) !== JSON.stringify(memory))
        wrong.push(`${at.toString(16)}: ${text}: ${JSON.stringify(ours)}`);
    } else if (memory !== undefined && !/^(rep|push|call|jmp|movs|stos|scas|cmps|lods|xlat)/.test(text)) {
      wrong.push(`${at.toString(16)}: ${text}: no memory operand`);
    }
    const named = registersOf(text);
    if (!PLAIN.test(text) || named.some((each) => each < 0) || named.length === 0 || parts.map > 1) continue;
    if (text.includes("$") || (parts.map === 0 && parts.opcode >= 0x90 && parts.opcode < 0x98)) continue;
    registers++;
    const ours = registersIn(parts);
    if (!named.every((each) => ours.includes(each))) wrong.push(`${at.toString(16)}: ${text}: ${ours.join(", ")}`);
  }
  expect(memories).toBeGreaterThan(20_000);
  expect(registers).toBeGreaterThan(20_000);
  expect(wrong.slice(0, 20)).toEqual([]);
});
