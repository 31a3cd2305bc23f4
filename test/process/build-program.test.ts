/** From diffs to livepatches for programs that the test compiles: what is built, and what is refused with which reason. */

import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { shown } from "../fixtures/shown.ts";
import { changed, type Files, Project } from "./project.ts";

const SUTURE = resolve(import.meta.dirname, "../../bin/suture");

const SERVER = `#include <stdio.h>
#include <string.h>
#include "limits.h"
static int count;
static __thread int calls;
static const char *const names[] = { "one", "two", "three" };

static __attribute__((noinline)) int longest(const char *text) {
  int length = 0;
  for (const char *at = text; *at != 0; at++)
    if (*at != ' ') length++;
  return length;
}

int answer(int x) {
  calls++;
  switch (x) {
    case 0: return count;
    case 1: return longest(names[x]);
    case 2: return scaled(x);
    case 3: return calls;
    case 4: return count + longest("four");
    case 5: return 55;
    default: return -1;
  }
}

static int version = 1;
int version_of(int x) { version += x; return version; }

__attribute__((noinline)) int tiny(void) { return 4; }

static void begin(void) __attribute__((constructor));
static void begin(void) { count = 10; }

int main(int argc, char **argv) {
  for (int i = 0; i < argc; i++) printf("%s: %d %d %d\\n", argv[i], answer(i), tiny(), version_of(i));
  return 0;
}
`;
const LIMITS = `#define SCALE 3
#define UNUSED 1
int scaled(int x);
`;
const SCALED = `#include "limits.h"
int scaled(int x) { int sum = 0; for (int i = 0; i <= x; i++) sum += SCALE * i * x; return sum; }
`;

const FILES: Files = { "src/server.c": SERVER, "src/limits.h": LIMITS, "src/scaled.c": SCALED };

const FORMS = [
  ["a position-independent executable", "-O2 -g", "-pie"],
  ["a static position-independent executable", "-O2 -fPIE", "-static-pie"],
  ["an executable at a fixed address", "-O2 -fno-pie", "-no-pie"],
  ["a shared library", "-O2 -fPIC", "-shared -Wl,-soname,libserver.so.3"],
] as const;

describe.each(FORMS)("%s, stripped", (name, compile, link) => {
  let project: Project;
  beforeAll(() => {
    project = new Project(FILES, compile, link);
  });
  afterAll(() => project.remove());

  test("a changed function is patched at its address, and every function of its unit is proved", () => {
    const { status, result } = project.build({ "src/server.c": changed(SERVER, "return 55", "return 56 + count") });
    expect(result.refusals ?? []).toEqual([]);
    expect(status).toBe(0);
    const { objects, proofs } = project.metadata();
    const [object] = objects;
    expect(object?.name).toBe(name === "a shared library" ? "libserver.so.3" : "server");
    expect(object?.funcs.map((func) => func.name)).toEqual(["answer"]);
    expect(proofs.map(({ source, differing, absent }) => ({ source, differing, absent }))).toEqual([
      { source: "src/server.c", differing: [], absent: [] },
    ]);
  });

  test("a header's change reaches the files whose tokens it changes, and no others", () => {
    const { status } = project.build({ "src/limits.h": changed(LIMITS, "SCALE 3", "SCALE 4") });
    expect(status).toBe(0);
    expect(project.metadata().objects.flatMap(({ funcs }) => funcs.map((func) => func.name))).toEqual(["scaled"]);
  });
});

describe("a program of one's own", () => {
  let project: Project;
  beforeAll(() => {
    project = new Project(FILES, "-O2", "-pie");
  });
  afterAll(() => project.remove());

  test("the same diff makes the same bytes", () => {
    const patched = { "src/server.c": changed(SERVER, "return 55", "return 56") };
    const path = join(project.directory, "livepatch-fix.o");
    project.build(patched);
    const first = readFileSync(path);
    rmSync(join(project.directory, "cache"), { recursive: true });
    project.build(patched);
    expect(readFileSync(path).equals(first)).toBe(true);
  });

  test("a change without effect on code is told so, with exit code 3", () => {
    expect(project.build({ "src/limits.h": changed(LIMITS, "UNUSED 1", "UNUSED 2") }).status).toBe(3);
    expect(project.build({ "src/server.c": changed(SERVER, "int answer", "/* it */\nint answer") }).status).toBe(3);
  });

  test("a new function and a new variable come along", () => {
    const patched = changed(
      SERVER,
      "int answer",
      "static int extra = 3;\n__attribute__((noinline)) int more(int x) { return extra += x; }\nint answer",
    );
    const { status } = project.build({ "src/server.c": changed(patched, "return 55", "return more(55)") });
    expect(status).toBe(0);
    expect(project.metadata().newFunctions).toEqual(["more"]);
  });

  test("code that does not compile is refused with the compiler's words", () => {
    const { status, codes, result } = project.build({ "src/server.c": changed(SERVER, "return 55", "return nothing") });
    expect([status, codes]).toEqual([2, ["DOES_NOT_COMPILE"]]);
    expect(result.refusals[0].what).toContain("'nothing' undeclared");
  });

  test("another initial value of a variable is refused", () => {
    expect(project.build({ "src/server.c": changed(SERVER, "version = 1", "version = 2") }).codes).toContain(
      "DATA_CHANGED",
    );
  });

  test("a new thread-local variable is refused", () => {
    const patched = changed(SERVER, "int answer", "static __thread int deep;\nint answer");
    const { codes } = project.build({ "src/server.c": changed(patched, "return 55", "return ++deep") });
    expect(codes).toEqual(["THREAD_LOCAL_NEW"]);
  });

  test("a constructor that is changed has run: nothing is left to patch", () => {
    const { status, codes } = project.build({ "src/server.c": changed(SERVER, "count = 10", "count = 20") });
    expect([status, codes]).toEqual([2, ["NOTHING_TO_PATCH"]]);
  });

  test("a changed main is patched, and it is said that no running task will get it", () => {
    const { status } = project.build({ "src/server.c": changed(SERVER, "i = 0; i < argc", "i = 1; i < argc") });
    expect(status).toBe(0);
    expect(project.metadata().notes.map(({ code }) => code)).toContain("NEVER_RETURNS");
  });

  test("a source that is not what was built is refused, with what differs", () => {
    const other = new Project({ ...FILES, "src/scaled.c": changed(SCALED, "sum = 0", "sum = 1") }, "-O2", "-pie");
    try {
      execFileSync("cp", [join(other.directory, "server"), join(project.directory, "other")]);
      const { codes, result } = project.build({ "src/scaled.c": changed(SCALED, "i <= x", "i < x") }, "--exe", "other");
      // The right file is named too, and is patched; the other one alone is not.
      expect(codes).toEqual([]);
      expect(result.metadata.objects.map((each: { name: string }) => each.name)).toEqual(["server"]);
    } finally {
      other.remove();
    }
  });

  test("link-time optimization is refused before anything is compiled", () => {
    const path = join(project.directory, "build/compile_commands.json");
    const kept = readFileSync(path, "utf8");
    writeFileSync(path, kept.replaceAll("-O2", "-O2 -flto=auto"));
    try {
      expect(project.build({ "src/server.c": changed(SERVER, "return 55", "return 56") }).codes).toEqual([
        "LINK_TIME_OPTIMIZED",
      ]);
    } finally {
      writeFileSync(path, kept);
    }
  });

  test("an executable of other flags is not taken for the one that was built", () => {
    const other = new Project(FILES, "-O0", "-pie");
    try {
      const file = join(other.directory, "server");
      writeFileSync(
        join(other.directory, "build/compile_commands.json"),
        readFileSync(join(project.directory, "build/compile_commands.json")),
      );
      execFileSync("cp", [file, join(project.directory, "slow")]);
      const env = { ...process.env, SUTURE_CACHE: join(project.directory, "cache") };
      project.build({ "src/server.c": changed(SERVER, "return 55", "return 56") });
      const args = [
        "build",
        "--json",
        "-q",
        "--compile-commands",
        "build/compile_commands.json",
        "--exe",
        "slow",
        "fix.patch",
      ];
      const { status, stdout } = spawnSync(SUTURE, args, { cwd: project.directory, encoding: "utf8", env });
      expect(status).toBe(2);
      expect(shown(stdout).refusals[0]).toMatchObject({ code: "NOT_IN_PROGRAM" });
    } finally {
      other.remove();
    }
  });
});

test("half of a fix is none: a file that is too small to be told from chance is not left out beside another one", () => {
  const server = changed(SERVER, "case 5: return 55;", "case 5: return 55 + limit();");
  const files: Files = {
    ...FILES,
    "src/server.c": server,
    "src/limits.h": `${LIMITS}int limit(void);\n`,
    "src/limit.c": `#include "limits.h"\nint limit(void) { return 7; }\n`,
    "src/client.c": `int asked(int x) { int all = 1; while (x-- > 3) all = all * 5 + x; return all; }\n`,
  };
  const own = new Project(files, "-O2", "-pie");
  try {
    const both = {
      "src/server.c": changed(server, "return 55 +", "return 56 +"),
      "src/limit.c": changed(files["src/limit.c"] as string, "return 7", "return 8"),
    };
    expect(own.build(both)).toMatchObject({ status: 2, codes: ["NOT_IN_PROGRAM"] });
    // What is nowhere by any sign is another program's, and that is told.
    const link = "gcc -pie -o ../server $(ls *.o | grep -v client) && strip ../server";
    execFileSync("sh", ["-c", link], { cwd: join(own.directory, "build") });
    const client = { "src/client.c": changed(files["src/client.c"] as string, "x-- > 3", "x-- > 4") };
    expect(own.build({ "src/server.c": both["src/server.c"], ...client }).status).toBe(0);
    expect(own.metadata().notes.map(({ code }) => code)).toContain("NOT_IN_PROGRAM");
  } finally {
    own.remove();
  }
});

test("a structure that would have another layout is refused: the process holds some of the old one", () => {
  const ITEMS = `#include <stdlib.h>
struct item { int price; int pieces; };
__attribute__((noinline)) int total(struct item *item) { return item->price * item->pieces; }
int main(void) { struct item *item = calloc(1, sizeof *item); return item == NULL ? 1 : total(item); }
`;
  const project = new Project({ "items.c": ITEMS }, "-g -O2", "-pie");
  try {
    const { codes, result } = project.build({ "items.c": changed(ITEMS, "int price;", "int price; int discount;") });
    expect(codes).toEqual(["DATA_LAYOUT_CHANGED"]);
    expect(result.refusals[0].what).toContain("pieces moves from 4 to 8");
  } finally {
    project.remove();
  }
});

describe("C++", () => {
  const SHAPES = `#include <stdexcept>
#include <string>
#include <vector>
#include <cstdio>
int area(const std::vector<int> &sides) {
  if (sides.empty()) throw std::runtime_error("none");
  int all = 1;
  for (int side : sides) all *= side;
  return all;
}
__attribute__((noinline)) int count(const int *from, const int *to) noexcept { int n = 0; for (; from != to; from++) n += *from > 0; return n; }
int main(int argc, char **) {
  try { std::vector<int> v(argc, 3); std::printf("%d %d\\n", area(v), count(v.data(), v.data() + v.size())); }
  catch (const std::exception &e) { std::puts(e.what()); }
}
`;
  let project: Project;
  beforeAll(() => {
    project = new Project({ "shapes.cc": SHAPES }, "-O2 -fno-inline-functions", "-pie", "g++");
  });
  afterAll(() => project.remove());

  test("a function that throws is refused, since nothing could find its way through new code", () => {
    expect(project.build({ "shapes.cc": changed(SHAPES, "all = 1", "all = 2") }).codes).toContain("EXCEPTIONS");
  });

  test("one that neither throws nor calls what may throw is patched", () => {
    const { status, result } = project.build({ "shapes.cc": changed(SHAPES, "*from > 0", "*from > 1") });
    expect(result.refusals ?? []).toEqual([]);
    expect(status).toBe(0);
    expect(project.metadata().objects[0]?.funcs.map(({ name }) => name)).toContain("_Z5countPKiS0_");
  });
});
