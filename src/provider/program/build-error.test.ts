import { expect, test } from "vitest";
import { buildError } from "./build-error.ts";

const COMPILING = Array.from({ length: 40 }, (_, i) => `gcc -O2 -Werror=format-security -c -o ${i}.o error: ${i}.c`);

test("the compiler's words, and not the commands beside them", () => {
  const log = [
    ...COMPILING,
    "x.c: In function 'f':",
    "x.c:3:10: error: 'y' undeclared (first use in this function)",
    "    3 |   return y;",
    "make[2]: *** [Makefile:9: x.o] Error 1",
    ...COMPILING,
    "make[1]: *** [Makefile:2: all] Error 2",
    "dh_auto_build: error: make -j2 returned exit code 2",
    "dpkg-buildpackage: error: debian/rules build-arch subprocess returned exit status 2",
  ].join("\n");
  expect(buildError(log).split("\n")).toEqual([
    COMPILING.at(-1),
    "x.c: In function 'f':",
    "x.c:3:10: error: 'y' undeclared (first use in this function)",
    "    3 |   return y;",
    "make[2]: *** [Makefile:9: x.o] Error 1",
  ]);
});

test.each([
  [
    "configure",
    [
      "checking for perl... no",
      "configure: error: Perl module IPC::Run is required",
      "\ttail -v -n +0 config.log",
      "==> config.log <==",
      "conftest.c:3: error: no",
    ],
    "IPC::Run",
  ],
  [
    "meson",
    ["Project name: x", "../meson.build:80:0: ERROR: Dependency 'y' not found", "A full log can be found at /x"],
    "Dependency 'y'",
  ],
  [
    "the linker",
    [
      "/usr/bin/ld: x.o: in function `main':",
      "x.c:(.text+0x5): undefined reference to `gone'",
      "collect2: error: ld returned 1 exit status",
      "make: *** [x] Error 1",
    ],
    "`gone'",
  ],
  ["a shell", ["/bin/sh: 1: xsltproc: not found", "make: *** [doc] Error 127"], "xsltproc"],
  ["make", ["make[1]: *** No rule to make target 'x.h', needed by 'x.o'.  Stop.", ...COMPILING], "x.h"],
  [
    "perl",
    ["Can't locate Some/Thing.pm in @INC (you may need to install it)", "make: *** [gen] Error 2"],
    "Some/Thing.pm",
  ],
  ["something unknown", ["It did not work.", "make: *** [it] Error 1", ...COMPILING], "It did not work."],
])("the words of %s", (_, lines, words) => {
  const text = buildError([...COMPILING, ...lines].join("\n"));
  expect(text).toContain(words);
  expect(text).not.toContain("conftest");
  expect(text.split("\n").length).toBeLessThan(20);
});

test("an empty output has nothing to say", () => {
  expect(buildError("")).toBe("");
});
