/** New code's symbols are those that the dynamic linker would have bound for it. */
import { describe, expect, test } from "vitest";
import { ProcessTarget } from "../../src/targets/process/process-target.ts";
import { CaseProgram, type RunningCase } from "./case-program.ts";

async function loaded(running: RunningCase, program: CaseProgram) {
  return await new ProcessTarget(running.pid).load(program.livepatch());
}

test("new code of a library reads the copy of a variable that the executable has", async () => {
  using program = new CaseProgram("copy-reloc");
  program.compile("gcc -O2 -g -fPIC", "lib.c");
  program.shell("gcc -shared -Wl,-soname,liblevel.so -o liblevel.so lib.o");
  program.shell(`gcc -O2 -no-pie -fno-pie -o prog main.c ./liblevel.so -Wl,-rpath,${program.source}`);
  expect(program.build("liblevel.so")).toMatchObject({ status: 0 });
  await using running = await program.run("./prog");
  expect(await running.ask()).toBe("verbosity 5 level 4");
  expect(await loaded(running, program)).toMatchObject({ outcome: "done", problems: [] });
  expect(await running.ask()).toBe("verbosity 5 level 5004");
  expect(await running.ended()).toBe(0);
});

test.each([[], ["dlmopen"]])("a library that is loaded twice is refused, and stays as it was: %s", async (...args) => {
  using program = new CaseProgram("two-instances");
  program.compile("gcc -O2 -g -fPIC", "plug.c");
  program.shell("gcc -shared -Wl,-soname,libplug.so -o libplug.so plug.o; gcc -O2 -o prog main.c");
  expect(program.build("libplug.so")).toMatchObject({ status: 0 });
  await using running = await program.run("./prog", ...args);
  expect(await running.ask()).toBe("first 4 second 4");
  expect(await loaded(running, program)).toMatchObject({ outcome: "refused", problems: [{ code: "LOADED_TWICE" }] });
  expect(await running.ask()).toBe("first 4 second 4");
});

const BODY = "int body(const char *s) { int n = 3; while (*s) n = n * 31 + (*s++ ^ 0x55); return n + 12345; }\n";
const MAIN = `#include <stdio.h>
int answer(int n);
int main(void) { char line[64]; setvbuf(stdout, NULL, _IOLBF, 0);
  while (fgets(line, sizeof line, stdin)) printf("%d\\n", answer(1)); }
`;
const AGAIN = "int again(int n) { return helper(n) + shared; }\n";
/** \`answer\` comes to call and to read what the library has under names that others can define. */
const LIBRARY = `${BODY}__attribute__((noinline)) int helper(int n) { __asm__ volatile("" : "+r"(n)); return n + 100; }
int shared = 7;
${AGAIN}__attribute__((noinline)) int answer(int n) { __asm__ volatile("nop;nop;nop;nop"); return n; }
`;
const FIXED = LIBRARY.replace("return n; }", "return helper(n) * 1000 + shared; }");
const USES_LIBC = `extern int atoi(const char *); ${LIBRARY.replace("return n; }", 'return n * atoi("42"); }')}`;
const PRELOADED = "int helper(int n) { return n + 200; }\nint shared = 8;\n";

const ASKS = `#include <stdio.h>
#include <stdlib.h>
extern int maybe(int) __attribute__((weak)), never __attribute__((weak));
int (*kept)(const char *) = atoi;
__attribute__((noinline)) int step(int n) {
  int known = kept == atoi ? 1 : 2;
  return (maybe ? maybe(n) : 3) * 100 + (&never ? never : 4) * 10 + known + atoi("1000");
}
int main(void) { char line[64]; setvbuf(stdout, NULL, _IOLBF, 0);
  while (fgets(line, sizeof line, stdin)) printf("%d\\n", step(1)); }
`;
const ASKS_NEWLY = ASKS.replace("int step", "int once(void) __attribute__((weak));\n__attribute__((noinline)) int step")
  .replace('atoi("1000")', '(once ? once() : 2000) + (kept == atoi ? atoi("10000") : 0)')
  .replace("? 1 : 2", "? 5 : 6");

test.each(["", "-Wl,-z,now", "-fcf-protection", "-no-pie -fno-pie", "-fno-plt"])(
  "a function's address is the function's, and what is weak and nowhere is 0: %s",
  async (flags) => {
    using program = new CaseProgram({ "main.c": [ASKS, ASKS_NEWLY] });
    program.compile(`gcc -O2 ${flags}`, "main.c").shell(`gcc ${flags} -o prog main.o`);
    expect(program.build("prog")).toMatchObject({ status: 0, codes: [] });
    await using running = await program.run("./prog");
    expect(await running.ask()).toBe("1341");
    expect(await loaded(running, program)).toMatchObject({ outcome: "done", problems: [] });
    expect(await running.ask()).toBe("12345");
    expect(await running.ended()).toBe(0);
  },
);

test("what was static, and is not any more, is the running one for another file", async () => {
  const own = `static int count;
    static __attribute__((noinline)) int counted(int n) { __asm__ volatile("" : "+r"(n)); return n + count++; }
    int answer(int n) { return counted(n) * 2; }\n`;
  const other = 'int other(int n) { __asm__ volatile("nop;nop;nop;nop"); return n; }\n';
  using program = new CaseProgram({
    "main.c": MAIN.replace("answer(1))", "answer(1) + other(1))").replace("int main", "int other(int n);\nint main"),
    "own.c": [own, own.replaceAll("static ", "")],
    "other.c": [
      other,
      `extern int count, counted(int);\n${other.replace("return n", "int was = count; return was * 1000 + counted(n)")}`,
    ],
  });
  program.compile("gcc -O2", "main.c", "own.c", "other.c").shell("gcc main.o own.o other.o -o prog");
  expect(program.build("prog")).toMatchObject({ status: 0, codes: [] });
  await using running = await program.run("./prog");
  expect(await running.ask()).toBe("3");
  expect(await loaded(running, program)).toMatchObject({ outcome: "done", problems: [] });
  expect(await running.ask()).toBe(String(4 + 2000 + 3));
});

describe("what a library exports", () => {
  test.each([
    ["", "", "201008"],
    ["", "-Wl,-Bsymbolic", "101007"],
    ["", "-Wl,-Bsymbolic-functions", "101008"],
    ["", "-Wl,--dynamic-list=only-main", "101007"],
    ["-fvisibility=protected", "", "101007"],
    ["-fvisibility=hidden", "-Wl,--version-script=only-answer", "101007"],
  ])("is what comes first for the library itself: compiled with %s, linked with %s", async (flags, linking, right) => {
    using program = new CaseProgram({
      "main.c": MAIN,
      "lib.c": [LIBRARY, FIXED].map((text) =>
        flags.includes("hidden")
          ? text.replaceAll("int answer", '__attribute__((visibility("default"))) int answer')
          : text,
      ) as [string, string],
      "preloaded.c": PRELOADED,
      "only-answer": "{ global: answer; local: *; };\n",
      "only-main": "{ main; };\n",
    });
    program.compile(`gcc -O2 -fPIC ${flags}`, "lib.c").shell(`
      gcc -shared -fPIC -o libpre.so preloaded.c
      gcc -shared ${linking} -Wl,-soname,liba.so -o liba.so lib.o
      gcc -O2 -o prog main.c ./liba.so -Wl,-rpath,'$ORIGIN'`);
    expect(program.build("liba.so")).toMatchObject({ status: 0, codes: [] });
    await using running = await program.run("/usr/bin/env", "LD_PRELOAD=./libpre.so", "./prog");
    expect(await running.ask()).toBe("1");
    expect(await loaded(running, program)).toMatchObject({ outcome: "done", problems: [] });
    expect(await running.ask()).toBe(right);
    // What a restart with the fix would give.
    program.shell(`patch -s -p1 < ../fix.patch; gcc -O2 -fPIC ${flags} -c lib.c -o lib.o
      gcc -shared ${linking} -Wl,-soname,liba.so -o liba.so lib.o`);
    await using restarted = await program.run("/usr/bin/env", "LD_PRELOAD=./libpre.so", "./prog");
    expect(await restarted.ask()).toBe(right);
  });

  test("is refused where the function that is patched is not the one that runs", async () => {
    using program = new CaseProgram({
      "main.c": MAIN,
      "lib.c": [LIBRARY, FIXED],
      "pre.c": "int answer(int n) { return n + 50; }\n",
    });
    program.compile("gcc -O2 -fPIC", "lib.c").shell(`
      gcc -shared -fPIC -o libpre.so pre.c
      gcc -shared -Wl,-soname,liba.so -o liba.so lib.o
      gcc -O2 -o prog main.c ./liba.so -Wl,-rpath,'$ORIGIN'`);
    expect(program.build("liba.so")).toMatchObject({ status: 0, codes: [] });
    await using running = await program.run("/usr/bin/env", "LD_PRELOAD=./libpre.so", "./prog");
    expect(await running.ask()).toBe("51");
    expect(await loaded(running, program)).toMatchObject({ outcome: "refused", problems: [{ code: "INTERPOSED" }] });
    expect(await running.ask()).toBe("51");
  });
});

test("a function of a library in a private folder, and one that the C library has, are imported anew", async () => {
  const unit = (
    body: string,
  ) => `${BODY}int extra(int); int abs(int); unsigned long strtoul(const char *, char **, int);
    __attribute__((noinline)) int answer(int n) { __asm__ volatile("nop;nop;nop;nop"); return ${body}; }\n`;
  using program = new CaseProgram({
    "main.c": MAIN,
    "answer.c": [unit("n"), unit('n + extra(1) + (int)strtoul("7000", 0, 10)')],
    "extra.c": "int extra(int n) { return n + 40; }\nint used(void) { return 1; }\n",
    "use.c": "int used(void); int user(void) { return used(); }\n",
  });
  program.compile("gcc -O2", "answer.c", "use.c").shell(`
    mkdir private; gcc -shared -fPIC -Wl,-soname,libextra.so -o private/libextra.so extra.c
    gcc -O2 -o prog main.c answer.o use.o private/libextra.so -Wl,-rpath,'$ORIGIN/private'`);
  expect(program.build("prog")).toMatchObject({ status: 0, codes: [] });
  await using running = await program.run("./prog");
  expect(await running.ask()).toBe("1");
  expect(await loaded(running, program)).toMatchObject({ outcome: "done", problems: [] });
  expect(await running.ask()).toBe(String(1 + 41 + 7000));
});

test("a name that several libraries have that were opened later is not guessed", async () => {
  const main = `#include <dlfcn.h>
#include <stdio.h>
int main(void) { char line[64]; setvbuf(stdout, NULL, _IOLBF, 0);
  dlopen("./other.so", RTLD_NOW | RTLD_GLOBAL);
  int (*answer)(int) = (int (*)(int))dlsym(dlopen("./plug.so", RTLD_NOW), "answer");
  while (fgets(line, sizeof line, stdin)) printf("%d\\n", answer(1)); }\n`;
  using program = new CaseProgram({
    "main.c": main,
    "plug.c": [LIBRARY.replace(AGAIN, ""), FIXED.replace(AGAIN, "")],
    "other.c": PRELOADED,
  });
  program.compile("gcc -O2 -fPIC", "plug.c").shell(`
    gcc -shared -fPIC -o other.so other.c; gcc -shared -o plug.so plug.o; gcc -O2 -o prog main.c`);
  expect(program.build("plug.so")).toMatchObject({ status: 0, codes: [] });
  await using running = await program.run("./prog");
  expect(await running.ask()).toBe("1");
  expect(await loaded(running, program)).toMatchObject({
    outcome: "refused",
    problems: [{ code: "BINDING_UNDECIDED" }],
  });
  expect(await running.ask()).toBe("1");
});

test("a library that has used nothing of libc so far comes to use it", async () => {
  using program = new CaseProgram({ "main.c": MAIN, "library.c": [LIBRARY, USES_LIBC] });
  program.compile("gcc -O2 -g -fPIC", "library.c");
  program.shell("gcc -shared -Wl,--as-needed -o library.so library.o");
  program.shell(`gcc -O2 -o prog main.c ./library.so -Wl,-rpath,${program.source}`);
  expect(program.output("readelf -d library.so")).not.toContain("NEEDED");
  expect(program.build("library.so")).toMatchObject({ status: 0, codes: [] });
  await using running = await program.run("./prog");
  expect(await running.ask()).toBe("1");
  expect(await loaded(running, program)).toMatchObject({ outcome: "done", problems: [] });
  expect(await running.ask()).toBe("42");
  expect(await running.ended()).toBe(0);
});

/** Which of two strings it is is asked by its address; what is set stays so for a while. */
const NAMED = `int pad; const char *mode = "none";
__attribute__((noinline)) void set(int n) { pad += n; mode = n > 1 ? "fast and light" : "slow"; }
__attribute__((noinline)) int get(int n) { pad ^= n; return mode == "fast and light" ? 10 + n : mode == "slow" ? 20 + n : 30 + n; }
int answer(int n) { if (n % 2 == 0) set(n); return get(n); }
`;
const ASKING = `#include <stdio.h>
#include <stdlib.h>
int answer(int n);
int main(void) { char line[64]; setvbuf(stdout, NULL, _IOLBF, 0);
  while (fgets(line, sizeof line, stdin)) printf("%d\\n", answer(atoi(line))); }
`;

test.each([
  ["who asks, in an executable", "-fPIE", "gcc -pie -o prog main.c lib.o", "20 + n", "120 + n"],
  ["who sets it, in an executable", "-fPIE", "gcc -pie -o prog main.c lib.o", "pad += n", "pad += n * 3"],
  ["who asks, where nothing moves", "-fno-pie", "gcc -no-pie -o prog main.c lib.o", "10 + n", "110 + n"],
  [
    "who asks, in a library",
    "-fPIC",
    "gcc -shared -Wl,-soname,liba.so -o liba.so lib.o; gcc -o prog main.c ./liba.so -Wl,-rpath,'$ORIGIN'",
    "10 + n",
    "110 + n",
  ],
])("a string of new code is the one that the program has: %s", async (_, flags, linking, before, after) => {
  using program = new CaseProgram({ "main.c": ASKING, "lib.c": [NAMED, NAMED.replace(before, after)] });
  program.compile(`gcc -O2 ${flags}`, "lib.c").shell(linking);
  expect(program.build(linking.includes("shared") ? "liba.so" : "prog")).toMatchObject({ status: 0, codes: [] });
  await using running = await program.run("./prog");
  const shift = (n: number, base: number) => String(n + base + (after === `${base + 100} + n` ? 100 : 0));
  expect(await running.ask("4")).toBe("14");
  expect(await loaded(running, program)).toMatchObject({ outcome: "done", problems: [] });
  expect(await running.ask("5")).toBe(shift(5, 10));
  expect(await running.ask("0")).toBe(shift(0, 20));
  expect(await running.ask("1")).toBe(shift(1, 20));
  expect(await running.ask("8")).toBe(shift(8, 10));
  expect(await running.ask("9")).toBe(shift(9, 10));
});
