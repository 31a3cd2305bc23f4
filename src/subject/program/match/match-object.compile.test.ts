import { describe, expect, test } from "vitest";
import { type LinkOptions, linked } from "../shipped/linked.fixture.ts";
import { matchObject } from "./match-object.ts";
import { PlainObject } from "./plain-object.ts";

const FIRST = `
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int other(int, const char *);
extern __thread int shared_calls;
extern int shared_count;
static int count;
static int filled = 7;
static __thread int calls;
static __thread int started = 3;
static const char *const names[] = { "one", "two", "three", "four" };
__attribute__((weak)) const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
static const int squares[] = { 0, 1, 4, 9, 16, 25, 36, 49 };
typedef int (*step)(int);
static __attribute__((noinline)) int add(int x) { count += x; return count + filled; }
static __attribute__((noinline)) int take(int x) { count -= x; return count * filled; }
static __attribute__((noinline)) int alike_a(int x) { return x * 3 + 1; }
static __attribute__((noinline)) int alike_b(int x) { return x * 3 + 1; }
static const step steps[] = { add, take, alike_a, alike_b };
__attribute__((weak)) int maybe(int x) { return x + 11; }
__attribute__((noinline, cold)) static void broken(int x) { fprintf(stderr, "broken %d: %s\\n", x, strerror(errno)); abort(); }
int choose(int x) {
  calls++; shared_calls += started;
  switch (x) {
    case 0: return add(x);
    case 1: return other(x, names[x]);
    case 2: return squares[x & 7];
    case 3: return take(x) + shared_count;
    case 4: return steps[x & 3](x);
    case 5: return calls;
    case 6: return maybe(x) + letters[x];
    default: if (x < 0) broken(x); return (int)strlen(names[x & 3]);
  }
}
double scaled(int x) { return x * 0.3125 + 1e9; }
`;
const SECOND = `
__attribute__((weak)) const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
static const long cubes[] = { 0, 1, 8, 27, 64, 125, 216, 343 };
#include <stdio.h>
#include <math.h>
__thread int shared_calls = 5;
int shared_count = 12;
int choose(int);
double scaled(int);
static int count;
static int filled = 9;
static __attribute__((noinline)) int add(int x) { count += x; return count - filled; }
int other(int x, const char *text) { printf("%s %d\\n", text, x); return add(x) + shared_calls + letters[x & 7] + cubes[x & 7]; }
int maybe_called(int x) { return x + 11; }
`;
const MAIN = `
int choose(int); double scaled(int); int maybe_called(int); int other(int, const char *);
int main(int argc, char **argv) { for (int i = 0; i < argc; i++) choose(i + other(i, argv[i])); return (int)scaled(argc) + maybe_called(argc); }
`;
const PROGRAM = { "first.c": FIRST, "second.c": SECOND, "main.c": MAIN };
const { "main.c": _, ...LIBRARY } = PROGRAM;

const FORMS: readonly (readonly [string, Readonly<Record<string, string>>, LinkOptions])[] = [
  ["a position-independent executable", PROGRAM, { compile: ["-O2", "-fPIE"], link: ["-pie", "-Wl,-z,now"] }],
  [
    "one with lazy binding and CET",
    PROGRAM,
    { compile: ["-O2", "-fPIE", "-fcf-protection"], link: ["-pie", "-Wl,-z,lazy,-z,ibtplt"] },
  ],
  ["one linked by gold", PROGRAM, { compile: ["-O2", "-fPIE"], link: ["-pie", "-fuse-ld=gold", "-Wl,--build-id"] }],
  ["one at a fixed address", PROGRAM, { compile: ["-O2", "-fno-pie"], link: ["-no-pie"] }],
  ["a static one", PROGRAM, { compile: ["-O2"], link: ["-static"] }],
  ["a static position-independent one", PROGRAM, { compile: ["-O2", "-fPIE"], link: ["-static-pie"] }],
  ["one without optimization", PROGRAM, { compile: ["-O0", "-fPIE"], link: ["-pie"] }],
  [
    "one for size, with a section a function",
    PROGRAM,
    { compile: ["-Os", "-fPIE", "-ffunction-sections", "-fdata-sections"], link: ["-pie", "-Wl,--gc-sections"] },
  ],
  ["one without PLT", PROGRAM, { compile: ["-O2", "-fPIE", "-fno-plt"], link: ["-pie"] }],
  ["a shared library", LIBRARY, { compile: ["-O2", "-fPIC"], link: ["-shared", "-Wl,-soname,libtry.so.1"] }],
  [
    "a shared library with hidden symbols",
    LIBRARY,
    { compile: ["-O2", "-fPIC", "-fvisibility=hidden"], link: ["-shared"] },
  ],
];

describe.each(FORMS)("in %s", (_name, sources, options) => {
  const { objects, shipped, truth } = linked(sources, options);
  const matches = [...objects].map(([name, file]) => {
    const object = new PlainObject(file);
    return { name, object, match: matchObject(object, shipped) };
  });

  test("every function of every unit is proved", () => {
    const differing = matches.flatMap(({ name, match }) =>
      [...match.mismatches].map(([each, why]) => ({ name, each, why })),
    );
    const isGone = options.link.includes("-Wl,--gc-sections") ? ["alike"] : [];
    expect(differing.filter(({ each }) => !isGone.some((gone) => each.startsWith(gone)))).toEqual([]);
    expect(matches.reduce((sum, { match }) => sum + match.proved.size, 0)).toBeGreaterThan(9);
  });

  test("functions and variables lie where the linker put them", () => {
    let compared = 0;
    for (const { object, match } of matches) {
      for (const symbol of object.file.symbols) {
        const known = truth.get(symbol.name);
        const found = match.claims.place(symbol) ?? match.proved.get(symbol.name)?.at;
        if (known === undefined || found === undefined || symbol.place.kind !== "section" || symbol.type === 3)
          continue;
        expect({ name: symbol.name, at: found }).toEqual({ name: symbol.name, at: known });
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(9);
  });

  test("what other units define is found by what refers to it", () => {
    const first = matches.find(({ name }) => name === "first.c");
    const other = first?.match.claims.external("other");
    if (other?.kind === "place") expect(other.at).toBe(truth.get("other"));
    else expect(other?.kind).toBe("import");
  });
});

test("static functions of one name in two units are told apart", () => {
  const { objects, shipped } = linked(PROGRAM, { compile: ["-O2", "-fPIE"], link: ["-pie"] });
  const places = ["first.c", "second.c"].map((name) => {
    const file = objects.get(name);
    return file === undefined ? undefined : matchObject(new PlainObject(file), shipped).proved.get("add")?.at;
  });
  expect(new Set(places).size).toBe(2);
  expect(places).not.toContain(undefined);
});

test("a weak function that another file overrides is not taken for the one that runs", () => {
  const strong = SECOND.replace("int maybe_called", "int maybe(int x) { return x * 17; }\nint maybe_called");
  const { objects } = linked({ ...PROGRAM, "second.c": strong }, { compile: ["-O2", "-fPIE"], link: ["-pie"] });
  const { shipped } = linked({ ...PROGRAM, "second.c": strong }, { compile: ["-O2", "-fPIE"], link: ["-pie"] });
  const file = objects.get("first.c");
  if (file === undefined) throw new Error("not compiled");
  expect([...matchObject(new PlainObject(file), shipped).mismatches]).toEqual([["maybe", { kind: "absent" }]]);
});

test("a function of another version differs, and the rest of its unit is still proved", () => {
  const { shipped } = linked(PROGRAM, { compile: ["-O2", "-fPIE"], link: ["-pie"] });
  const other = FIRST.replace("count * filled", "count * filled * filled").replace("x < 0", "x < -5");
  const { objects } = linked({ ...PROGRAM, "first.c": other }, { compile: ["-O2", "-fPIE"], link: ["-pie"] });
  const file = objects.get("first.c");
  if (file === undefined) throw new Error("not compiled");
  const { proved, mismatches } = matchObject(new PlainObject(file), shipped);
  expect([...mismatches.keys()].map((name) => name.replace(/\..*/, "")).sort()).toEqual(["choose", "take"]);
  expect(proved.has("add")).toBe(true);
});

test("another jump table under the same code is another function", () => {
  const { shipped } = linked(PROGRAM, { compile: ["-O2", "-fPIE"], link: ["-pie"] });
  const swapped = FIRST.replace("case 0: return add(x)", "case 9: return add(x)")
    .replace("case 1:", "case 0:")
    .replace("case 9:", "case 1:");
  const { objects } = linked({ ...PROGRAM, "first.c": swapped }, { compile: ["-O2", "-fPIE"], link: ["-pie"] });
  const file = objects.get("first.c");
  if (file === undefined) throw new Error("not compiled");
  expect([...matchObject(new PlainObject(file), shipped).mismatches.keys()]).toContain("choose");
});

test("C++: functions of templates and exceptions are proved, and weak ones found where the linker kept them", () => {
  const header = "#include <string>\\n#include <vector>\\n#include <stdexcept>\\n".replaceAll("\\n", "\n");
  const body = `${header}
template <class T> __attribute__((noinline)) T largest(const std::vector<T> &all) { if (all.empty()) throw std::runtime_error("none"); T most = all[0]; for (auto &each : all) if (most < each) most = each; return most; }
`;
  const { objects, shipped, truth } = linked(
    {
      "one.cc": `${body}\nint numbers(const std::vector<int> &v) { try { return largest(v); } catch (const std::exception &e) { return (int)std::string(e.what()).size(); } }`,
      "two.cc": `${body}\nint numbers(const std::vector<int> &); struct Shape { virtual int area() const { return 3; } virtual ~Shape() {} };\nint main(int argc, char **argv) { std::vector<int> v{1, argc, 3}; Shape *s = new Shape; std::vector<std::string> w(argv, argv + argc); int n = largest(v) + numbers(v) + s->area() + (int)largest(w).size(); delete s; return n; }`,
    },
    { compile: ["-O2", "-fPIE"], link: ["-pie"] },
  );
  for (const file of objects.values()) {
    const { proved, mismatches } = matchObject(new PlainObject(file), shipped);
    expect([...mismatches]).toEqual([]);
    for (const [name, { at }] of proved)
      if (truth.has(name)) expect({ name, at }).toEqual({ name, at: truth.get(name) });
  }
});
