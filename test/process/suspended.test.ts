/** Stacks that are no thread's: of coroutines that were left inside of a function. */
import { expect, test } from "vitest";
import { ProcessTarget } from "../../src/targets/process/process-target.ts";
import { CaseProgram } from "./case-program.ts";

const HANDLER = (more: number) => `#include <stdio.h>
void pause_inside(void);
__attribute__((noinline)) int amount(int n) { __asm__ volatile("nop;nop;nop;nop"); return n + ${more}; }
void handler(void) {
  int a = amount(100);
  pause_inside();
  int b = amount(100);
  printf("%s ${more} %d %d\\n", a == b ? "consistent" : "MIXTURE", a, b);
}
`;

/** Each line lets the coroutine go on until it is left the next time: inside of \`handler\`, then behind it. */
const MAIN = `#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
void handler(void);
#define SIZE 65536
SWITCHES
void pause_inside(void) { puts("inside"); leave(); }
/* What calls have left below is written over, as other calls would. */
static __attribute__((noinline)) void scrub(void) { volatile char over[4096]; for (unsigned i = 0; i < sizeof over; i++) over[i] = 0; }
static void run(void) { for (;;) { handler(); scrub(); leave(); } }
static void *thread(void *arg) { (void)arg; make(); for (;;) { char line[64]; if (!fgets(line, sizeof line, stdin)) exit(0); enter(); } }
int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (argc > 1) { pthread_t t; pthread_create(&t, NULL, thread, NULL); pthread_join(t, NULL); }
  thread(NULL);
}
`;

const STACKS: Readonly<Record<string, string>> = {
  "the heap": "malloc(SIZE)",
  "memory of its own": "mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)",
  "data of the program": "fixed",
};

const UCONTEXT = `#include <ucontext.h>
static char fixed[SIZE] __attribute__((aligned(16)));
static ucontext_t outer, inner;
static void run(void);
static void make(void) { (void)fixed; getcontext(&inner); inner.uc_stack.ss_size = SIZE; inner.uc_stack.ss_sp = STACK; makecontext(&inner, run, 0); }
static void enter(void) { swapcontext(&outer, &inner); }
static void leave(void) { swapcontext(&inner, &outer); }`;

/** As boost.context, libaco and minicoro do it, and with no word of frame information. */
const ASSEMBLY = `static char fixed[SIZE] __attribute__((aligned(16)));
static void *outer, *inner;
static void run(void);
void exchange(void **save, void *load);
__asm__(".text; .globl exchange; exchange: push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15;"
        "mov %rsp, (%rdi); mov %rsi, %rsp; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp; ret");
static void make(void) {
  void **top = (void **)((char *)STACK + SIZE - 16);
  (void)fixed;
  *--top = (void *)0x1234567;
  *--top = (void *)run;
  for (int i = 0; i < 6; i++) *--top = 0;
  inner = top;
}
static void enter(void) { exchange(&outer, inner); }
static void leave(void) { exchange(&inner, outer); }`;

const WAYS = Object.entries(STACKS).flatMap(([where, stack]) =>
  Object.entries({ ucontext: UCONTEXT, assembly: ASSEMBLY }).map(
    ([how, text]) => [how, where, text.replace("STACK", stack)] as const,
  ),
);

function coroutine(switches: string, compiler: string): CaseProgram {
  const program = new CaseProgram({
    "main.c": MAIN.replace("SWITCHES", () => switches),
    "handler.c": [HANDLER(1), HANDLER(1000)],
  });
  program.compile(compiler, "main.c", "handler.c").shell("gcc -pthread -o prog main.o handler.o");
  expect(program.build("prog")).toMatchObject({ status: 0, codes: [] });
  return program;
}

test.each(WAYS)(
  "a coroutine by %s on %s that was left inside holds a livepatch up, there and back",
  async (_how, _where, text) => {
    for (const [compiler, ...args] of [["gcc -O2 -g"], ["gcc -O0 -g"], ["gcc -O2 -g", "thread"]] as const) {
      using program = coroutine(text, compiler);
      await using running = await program.run("./prog", ...args);
      const livepatch = program.livepatch();
      expect(await running.ask()).toBe("inside");
      for (const consistency of ["stop", "hybrid", "lazy"] as const) {
        const hurried = new ProcessTarget(running.pid, { consistency, timeoutMs: 100 });
        const patient = new ProcessTarget(running.pid, { consistency });
        const held = [
          { tid: running.pid, name: "no thread", why: expect.stringMatching(/an address inside (handler|amount)/) },
        ];
        expect(await hurried.preflight(livepatch)).toMatchObject({ outcome: "done", holders: held });
        expect(await hurried.load(livepatch)).toMatchObject({ outcome: "reversed", holders: held });
        expect(await running.ask()).toBe("consistent 1 101 101");
        expect(await patient.load(livepatch)).toMatchObject({ outcome: "done" });
        expect(await running.ask()).toBe("inside");
        expect(await hurried.disable("livepatch_fix")).toMatchObject({ outcome: "reversed", holders: held });
        expect(await running.ask()).toBe("consistent 1000 1100 1100");
        expect(await patient.disable("livepatch_fix")).toMatchObject({ outcome: "done" });
        expect(await patient.unload("livepatch_fix")).toMatchObject({ outcome: "done" });
        expect(await running.ask()).toBe("inside");
      }
    }
  },
);

/** Programs whose coroutine has nothing on its stack but the patched function, or no frame above that. */
const FEW_FRAMES = (leave: string, more: number) => `#include <stdio.h>
#include "leave.h"
__attribute__((noinline)) int amount(int n) { __asm__ volatile("nop;nop;nop;nop"); return n + ${more}; }
void handler(void) {
  __asm__ volatile("nop;nop;nop;nop;nop;nop");
  for (;;) {
    int a = amount(100);
    ${leave};
    printf("%d %d ${more}\\n", a, amount(100));
    fflush(stdout);
  }
}
`;
const FEW_FRAMES_MAIN = `#include "leave.h"
#include <stdio.h>
#include <stdlib.h>
void handler(void);
STATE
void pause_inside(void) { LEAVE; __asm__ volatile("" ::: "memory"); }
int main(void) {
  char line[64];
  make();
  while (fgets(line, sizeof line, stdin)) {
    enter();
    puts("left");
    fflush(stdout);
  }
}
`;
const SWITCH_CONTEXT = {
  header: `#include <ucontext.h>
extern ucontext_t outer, inner;
#define LEAVE swapcontext(&inner, &outer)`,
  state: `ucontext_t outer, inner;
static void make(void) { getcontext(&inner); inner.uc_stack.ss_size = 65536; inner.uc_stack.ss_sp = malloc(65536); makecontext(&inner, handler, 0); }
static void enter(void) { swapcontext(&outer, &inner); }`,
};
/** @param call what is called to leave */
function switchByHand(
  call: string,
  directives: { readonly start: string; readonly push: string; readonly end: string },
) {
  const { start, push, end } = directives;
  const pushes = ["rbp", "rbx", "r12", "r13", "r14", "r15"].map((name) => `push %${name}; ${push}`).join("");
  return {
    header: `extern void *outer, *inner;
void exchange(void **save, void *load);
extern void (*by_pointer)(void **save, void *load);
void pause_inside(void);
#define LEAVE ${call}(&inner, outer)`,
    state: `void *outer, *inner;
void (*by_pointer)(void **save, void *load) = exchange;
__asm__(".text; .globl exchange; exchange: ${start} ${pushes}"
        "mov %rsp, (%rdi); mov %rsi, %rsp; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp; ret; ${end}");
static void make(void) {
  void **top = (void **)((char *)malloc(65536) + 65536 - 16);
  *--top = (void *)0x1234567;
  *--top = (void *)handler;
  for (int i = 0; i < 6; i++) *--top = 0;
  inner = top;
}
static void enter(void) { exchange(&outer, inner); }`,
  };
}
const SILENT = { start: "", push: "", end: "" };
const DESCRIBED = { start: ".cfi_startproc;", push: ".cfi_adjust_cfa_offset 8;", end: ".cfi_endproc" };
/** The address at which it will go on is that of a label, and no call comes before it. */
const SWITCH_INLINED = {
  header: `extern void *outer, *inner;
#define LEAVE __asm__ volatile("sub $128, %%rsp; push %%rbp; push %%rbx; lea 1f(%%rip), %%rax; push %%rax;" \\
  "mov %%rsp, inner(%%rip); mov outer(%%rip), %%rsp; ret; 1: pop %%rbx; pop %%rbp; add $128, %%rsp" \\
  ::: "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc")`,
  state: `void *outer, *inner;
void enter(void);
__asm__(".text; .globl enter; enter: push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15;"
        "lea 2f(%rip), %rax; push %rax; mov %rsp, outer(%rip); mov inner(%rip), %rsp; ret;"
        "2: pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp; ret");
static void make(void) {
  void **top = (void **)((char *)malloc(65536) + 65536 - 16);
  *--top = (void *)0x1234567;
  *--top = (void *)handler;
  inner = top;
}`,
};
/** A jump buffer holds the addresses at which it will go on, encoded by the C library. */
const SWITCH_BY_JUMP = {
  header: `#include <setjmp.h>
extern jmp_buf outer, inner;
#define LEAVE if (!_setjmp(inner)) _longjmp(outer, 1)`,
  state: `jmp_buf outer, inner;
void start_on(void *top, void (*first)(void));
__asm__(".text; .globl start_on; start_on: mov %rdi, %rsp; jmp *%rsi");
static void **top;
static void make(void) { top = (void **)((char *)malloc(65536) + 65536 - 24); *top = (void *)0x1234567; }
static void enter(void) {
  void **first = top;
  top = NULL;
  if (_setjmp(outer)) return;
  if (first != NULL) start_on(first, handler);
  _longjmp(inner, 1);
}`,
};
const FEW_FRAMES_WAYS = {
  "left by swapcontext": [SWITCH_CONTEXT, "LEAVE"],
  "left by assembly without frame information": [switchByHand("exchange", SILENT), "LEAVE"],
  "left by assembly with frame information": [switchByHand("exchange", DESCRIBED), "LEAVE"],
  "left by a pointer to such": [switchByHand("by_pointer", DESCRIBED), "LEAVE"],
  "left by assembly of its own": [SWITCH_INLINED, "LEAVE"],
  "left by a jump": [SWITCH_BY_JUMP, "LEAVE"],
  "left by a function that it has called": [switchByHand("exchange", DESCRIBED), "pause_inside()"],
} as const;

test.each(Object.entries(FEW_FRAMES_WAYS))(
  "a coroutine whose first function is patched, %s, holds a livepatch up",
  async (_how, [{ header, state }, leave]) => {
    for (const [compiler, ...models] of [
      ["gcc -O2 -g", "stop", "lazy"],
      ["gcc -O0 -g", "hybrid"],
    ] as const) {
      using program = new CaseProgram({
        "leave.h": `${header}\nvoid pause_inside(void);\n`,
        "main.c": FEW_FRAMES_MAIN.replace("STATE", () => state),
        "handler.c": [FEW_FRAMES(leave, 1), FEW_FRAMES(leave, 1000)],
      });
      program.compile(compiler, "main.c", "handler.c").shell("gcc -o prog main.o handler.o");
      expect(program.build("prog")).toMatchObject({ status: 0, codes: [] });
      await using running = await program.run("./prog");
      expect(await running.ask()).toBe("left");
      for (const consistency of models) {
        const target = new ProcessTarget(running.pid, { consistency, timeoutMs: 100 });
        const holders = [{ name: "no thread", why: expect.stringMatching(/an address inside handler/) }];
        expect(await target.preflight(program.livepatch())).toMatchObject({ outcome: "done", holders });
        expect(await target.load(program.livepatch())).toMatchObject({ outcome: "reversed", holders });
      }
      expect(await running.ask()).toBe("101 101 1");
      expect(await running.line()).toBe("left");
    }
  },
);

const THREADS = `#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int amount(int n);
int deep(int n);
static void *work(void *arg) { return (void *)(long)deep((int)(long)arg); }
int main(void) {
  char line[64];
  setvbuf(stdout, NULL, _IOLBF, 0);
  while (fgets(line, sizeof line, stdin)) {
    pthread_t threads[8];
    void *got = NULL;
    for (long i = 0; i < 8; i++) pthread_create(&threads[i], NULL, work, (void *)i);
    for (int i = 0; i < 8; i++) pthread_join(threads[i], &got);
    printf("%ld\\n", (long)got);
  }
}
`;
const DEEP = (more: number) => `#include <unistd.h>
__attribute__((noinline)) int amount(int n) { usleep(1); return n + ${more}; }
__attribute__((noinline)) int deep(int n) { int got = amount(n); __asm__ volatile("" ::: "memory"); return got + ${more}; }
`;

test("stacks that ended threads have left, and that the C library keeps, hold nothing up", async () => {
  using program = new CaseProgram({ "main.c": THREADS, "deep.c": [DEEP(1), DEEP(1000)] });
  program.compile("gcc -O2 -g", "main.c", "deep.c").shell("gcc -pthread -o prog main.o deep.o");
  expect(program.build("prog")).toMatchObject({ status: 0, codes: [] });
  await using running = await program.run("./prog");
  expect(await running.ask()).toBe("9");
  for (const consistency of ["stop", "hybrid", "lazy"] as const) {
    const target = new ProcessTarget(running.pid, { consistency });
    expect(await target.load(program.livepatch())).toMatchObject({ outcome: "done" });
    expect(await running.ask()).toBe("2007");
    expect(await target.disable("livepatch_fix")).toMatchObject({ outcome: "done" });
    expect(await running.ask()).toBe("9");
    expect(await target.unload("livepatch_fix")).toMatchObject({ outcome: "done", notes: [] });
  }
});

const POINTERS = `#include <stdio.h>
#include <stdlib.h>
SWITCHES
int amount(int n);
int next(int n);
static int (**kept)(int);
static __attribute__((noinline)) void rest(void) { leave(); __asm__ volatile("" ::: "memory"); }
static void run(void) { for (;;) { rest(); __asm__ volatile("" ::: "memory"); } }
int main(void) {
  char line[64];
  setvbuf(stdout, NULL, _IOLBF, 0);
  kept = calloc(16, sizeof *kept);
  kept[1] = next;
  make();
  while (fgets(line, sizeof line, stdin)) {
    enter();
    printf("%d %d\\n", amount(1), kept[1](1));
  }
}
`;
/** Its last instruction is a call; behind it, without a gap, lies the function that the program has a pointer to. */
const LAST_CALL = (more: number) => `#include <stdlib.h>
__attribute__((noinline)) int amount(int n) { if (n < 0) abort(); __asm__ volatile("nop;nop;nop;nop"); return n + ${more}; }
__attribute__((noinline)) int next(int n) { __asm__ volatile("nop;nop;nop;nop"); return n * 3; }
`;

test("a pointer to the function behind a last call that does not return holds nothing up", async () => {
  const switches = `#define SIZE 65536\n${UCONTEXT.replace("STACK", "malloc(SIZE)")}`;
  using program = new CaseProgram({
    "main.c": POINTERS.replace("SWITCHES", () => switches),
    "amount.c": [LAST_CALL(1), LAST_CALL(1000)],
  });
  const together = "-falign-functions=1 -fno-reorder-blocks-and-partition -fno-toplevel-reorder";
  program.compile(`gcc -O2 -g ${together}`, "main.c", "amount.c").shell("gcc -o prog main.o amount.o");
  const symbols = program.output("nm -S prog");
  const [start, size] =
    /^(\w+) (\w+) T amount$/m
      .exec(symbols)
      ?.slice(1)
      .map((word) => Number.parseInt(word, 16)) ?? [];
  expect(symbols).toMatch(new RegExp(`^0*${((start ?? 0) + (size ?? 0)).toString(16)} \\w+ T next$`, "m"));
  expect(program.build("prog")).toMatchObject({ status: 0, codes: [] });
  await using running = await program.run("./prog");
  expect(await running.ask()).toBe("2 3");
  const target = new ProcessTarget(running.pid, { timeoutMs: 1000 });
  expect(await target.load(program.livepatch())).toMatchObject({ outcome: "done" });
  expect(await running.ask()).toBe("1001 3");
  expect(await target.disable("livepatch_fix")).toMatchObject({ outcome: "done" });
  expect(await running.ask()).toBe("2 3");
});
