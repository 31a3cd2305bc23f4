/** Functions whose entries leave little choice: each is patched while threads call it, and taken back. */
import { expect, test } from "vitest";
import { ProcessTarget } from "../../src/targets/process/process-target.ts";
import { CaseProgram } from "./case-program.ts";

const MAIN = `#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
int entry(int n);
static volatile long wrong;
static void *work(void *arg) {
  (void)arg;
  for (int i = 0;; i = (i + 1) & 0xff) {
    int got = entry(i);
    if (got != i + 7 && got != i + 1007) wrong++;
  }
  return NULL;
}
int main(void) {
  char line[64];
  pthread_t threads[3];
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, work, NULL);
  while (fgets(line, sizeof line, stdin)) printf("%d %ld\\n", entry(atoi(line)), wrong);
}
`;

/** Each gives n + 7; \`seven\` is left as it is. */
const ENTRIES: Readonly<Record<string, string>> = {
  "a call": `__attribute__((naked)) int entry(int n) { __asm__("call seven; add %edi, %eax; ret"); }`,
  "a call behind one byte": `__attribute__((naked)) int entry(int n) { __asm__("push %rdi; .cfi_adjust_cfa_offset 8; call seven; pop %rdi; .cfi_adjust_cfa_offset -8; add %edi, %eax; ret"); }`,
  "a call by the global offset table": `__attribute__((naked)) int entry(int n) { __asm__("call *seven@GOTPCREL(%rip); add %edi, %eax; ret"); }`,
  "a call by a pointer": `int (*pointer)(void) = seven;
    __attribute__((naked)) int entry(int n) { __asm__("call *pointer(%rip); add %edi, %eax; ret"); }`,
  "a call behind endbr64": `__attribute__((naked)) int entry(int n) { __asm__("endbr64; call seven; add %edi, %eax; ret"); }`,
  "what C makes of a call": `int entry(int n) { return seven() + n; }`,
  "a call that C makes first": `static __attribute__((noinline, noclone, used)) void start(void) { __asm__ volatile("" ::: "memory"); }
    __attribute__((noinline)) int entry(int n) { start(); return n + 7; }`,
  jrcxz: `__attribute__((naked)) int entry(int n) { __asm__("mov %edi, %eax; jrcxz 1f; nop; 1: add $7, %eax; ret"); }`,
  "a jump": `__attribute__((naked)) int entry(int n) { __asm__("jmp 1f; nop; nop; nop; 1: lea 7(%rdi), %eax; ret"); }`,
  "a branch": `__attribute__((naked)) int entry(int n) { __asm__("test %edi, %edi; js 1f; nop; 1: lea 7(%rdi), %eax; ret"); }`,
  "four bytes and padding": `__attribute__((naked)) int entry(int n) { __asm__("lea 7(%rdi), %eax; ret"); }`,
};

const SHORT = `__attribute__((naked)) int entry(int n) { __asm__("xchg %edi, %eax; jmp tail"); }
__asm__(".text; .p2align 4; tail: .cfi_startproc; add $7, %eax; ret; .cfi_endproc");`;

/** So that there is something to tell the unit by. */
const BODY = `int body(const char *s) { int n = 3; while (*s) n = n * 31 + (*s++ ^ 0x55); return n + 12345; }\n`;
const SEVEN = `${BODY}__attribute__((noinline, used)) int seven(void) { __asm__ volatile(""); return 7; }\n`;

test.each([...Object.entries(ENTRIES), ["a jump to another function", SHORT] as const])(
  "an entry that begins with %s is hooked while it runs",
  async (_what, entry) => {
    const changed = "int entry(int n) { return n + 1007; }\n";
    using program = new CaseProgram({ "main.c": MAIN, "entry.c": [`${SEVEN}${entry}\n`, `${SEVEN}${changed}`] });
    program.compile("gcc -O2 -g", "main.c", "entry.c").shell("gcc -pthread -o prog main.o entry.o && strip prog");
    expect(program.build("prog")).toMatchObject({ status: 0, codes: [] });
    await using running = await program.run("./prog");
    expect(await running.ask("5")).toBe("12 0");
    const target = new ProcessTarget(running.pid, { timeoutMs: 60_000 });
    for (let round = 0; round < 5; round++) {
      expect(await target.load(program.livepatch())).toMatchObject({ outcome: "done", problems: [] });
      expect(await running.ask("5")).toBe("1012 0");
      expect(await target.disable("livepatch_fix")).toMatchObject({ outcome: "done" });
      expect(await running.ask("5")).toBe("12 0");
      expect(await target.unload("livepatch_fix")).toMatchObject({ outcome: "done", notes: [] });
    }
  },
);

test.each(["-O2 -fno-asynchronous-unwind-tables -fno-unwind-tables", "-O2"])(
  "a function of three bytes is hooked by what lies behind it, compiled with %s",
  async (flags) => {
    const short = `int zero(void) { return 0; }\n${BODY}`;
    using program = new CaseProgram({
      "main.c": `#include <stdio.h>\nint zero(void);
        int main(void) { char line[64]; setvbuf(stdout, NULL, _IOLBF, 0);
        while (fgets(line, sizeof line, stdin)) printf("%d\\n", zero()); }\n`,
      "zero.c": [short, short.replace("return 0", "return 41")],
    });
    program
      .compile("gcc -O2", "main.c")
      .compile(`gcc ${flags}`, "zero.c")
      .shell("gcc -o prog main.o zero.o && strip prog");
    expect(program.build("prog")).toMatchObject({ status: 0, codes: [] });
    await using running = await program.run("./prog");
    const target = new ProcessTarget(running.pid);
    expect(await target.load(program.livepatch())).toMatchObject({ outcome: "done", problems: [] });
    expect(await running.ask()).toBe("41");
    expect(await target.disable("livepatch_fix")).toMatchObject({ outcome: "done" });
    expect(await running.ask()).toBe("0");
  },
);
