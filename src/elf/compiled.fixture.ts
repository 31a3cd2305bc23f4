import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What a program makes of a file: `output` after it has run in a directory that holds `input`. */
function made(program: string, args: readonly string[], input: string, content: string | Buffer): Buffer {
  const directory = mkdtempSync(join(tmpdir(), "suture-elf-test-"));
  try {
    writeFileSync(join(directory, input), content);
    execFileSync(program, args, { cwd: directory, stdio: ["ignore", "ignore", "pipe"] });
    return readFileSync(join(directory, "output"));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** An object, or whatever the options make it, from C. */
export function fromC(source: string, ...options: string[]): Buffer {
  return made("gcc", ["-c", ...options, "-o", "output", "input.c"], "input.c", source);
}

/** An object from C by another compiler than this machine's. */
export function crossCompiled(compiler: string, source: string, ...options: string[]): Buffer {
  return made(compiler, ["-c", ...options, "-o", "output", "input.c"], "input.c", source);
}

/** An executable or shared library from C. */
export function linkedFromC(source: string, ...options: string[]): Buffer {
  return made("gcc", [...options, "-o", "output", "input.c"], "input.c", source);
}

/** An object from assembly for the machine that runs the test. */
export function fromAssembly(source: string, ...options: string[]): Buffer {
  return made("as", [...options, "-o", "output", "input.s"], "input.s", source);
}

/** What objcopy makes of a file. */
export function copied(data: Buffer, ...options: string[]): Buffer {
  return made("objcopy", [...options, "input", "output"], "input", data);
}

/** What readelf prints of a file; throws if it has anything to complain of. */
export function readelf(data: Buffer, ...options: string[]): string {
  const directory = mkdtempSync(join(tmpdir(), "suture-elf-test-"));
  try {
    writeFileSync(join(directory, "input"), data);
    const command = `readelf ${options.join(" ")} input 2>&1`;
    const text = execFileSync("sh", ["-c", command], {
      cwd: directory,
      encoding: "utf8",
      maxBuffer: 1 << 30,
      env: { ...process.env, LC_ALL: "C" },
    });
    const complaint = /.*\b(?:Warning|Error)\b.*/.exec(text);
    if (complaint !== null) throw new Error(`readelf: ${complaint[0]}`);
    return text;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** More sections than 16 bits can number, each with a global symbol and, if wanted, a relocation. */
export function manySections(count: number, value = "0"): Buffer {
  const macro = `.macro one\n.section .d.\\@,"aw",@progbits\n.globl v\\@\nv\\@: .quad ${value}\n.endm\n`;
  return fromAssembly(`${macro}.rept ${count}\none\n.endr\n`);
}

/** C with what objects of real projects have: functions, data, static data, strings, weak and undefined symbols. */
export const SAMPLE_C = `
extern int printf(const char *, ...);
extern int elsewhere(int);
__attribute__((weak)) int overridable(int a) { return a + 1; }
static int counter;
int common_one;
const char *const names[] = { "first", "second" };
__thread int per_thread = 7;
static int helper(int a) { counter += a; return elsewhere(counter); }
int entry(int a) { printf("%s %d\\n", names[a & 1], helper(a)); return overridable(a) + per_thread; }
__attribute__((section(".init.text"))) int early(void) { return entry(3); }
`;

/** Functions and data in section groups, as C++ compilers emit them for templates and inline functions. */
export const SAMPLE_GROUPS = `
.macro grouped name
.section .text.\\name,"axG",@progbits,\\name,comdat
.weak \\name
.type \\name,@function
\\name: call elsewhere@PLT
ret
.size \\name,.-\\name
.section .data.rel.\\name,"awG",@progbits,\\name,comdat
.quad \\name, .text
.endm
grouped first
grouped second
grouped third
.section .data.calls,"awG",@progbits,calls,comdat
.globl calls
.type calls,@gnu_unique_object
calls: .long 0
.size calls,4
.section .text.kept,"axG",@progbits,kept
nop
.text
.globl use
use: call first@PLT
jmp second@PLT
`;
