import { expect, test } from "vitest";
import { factsOf } from "./file-facts.ts";
import { indexOf } from "./source-index.ts";
import { touchedBy } from "./touched.ts";

const HEADER = "struct s;\nint used(struct s *p);\nint other(struct s *p);\n";

/** @param more other files, by their paths; `a.h` is changed from `original` to `patched` */
function touched(original: string, patched: string, more: Readonly<Record<string, string>> = {}) {
  const texts: Readonly<Record<string, string>> = { "a.h": original, ...more };
  const files = Object.keys(texts);
  const read = (path: string): Buffer => Buffer.from(texts[path] ?? "", "latin1");
  const index = indexOf(
    files,
    files.map((path) => factsOf(read(path))),
    read,
  );
  const { names, asked } = touchedBy([{ path: "a.h", original, patched }], index, (path) => path.endsWith(".c"));
  return { names: [...names].sort(), asked: [...asked].map((file) => files[file]).sort() };
}

test("a comment, and a line that moves, touch nothing", () => {
  expect(touched(HEADER, `/* Words. */\n\n${HEADER}`)).toEqual({ names: [], asked: [] });
});

test("declarations and macros touch their names, and units are asked that have one", () => {
  const patched = HEADER.replace("int used", "long used").replace("int other", "#define NEW 1\nint other");
  const found = touched(HEADER, patched, { "u.c": "int x = used(0);", "v.c": "int y = other(0);", "w.c": "NEW" });
  expect(found).toEqual({ names: ["NEW", "used"], asked: ["u.c", "w.c"] });
});

test("what mentions a touched name is touched, through headers and macros, and by the conditions that it is under", () => {
  const patched = HEADER.replace("int used", "long used");
  const header = "static inline int twice(struct s *p) { return used(p); }\n#define TWICE twice\n";
  const more = {
    "b.h": header,
    "c.h": "#ifdef TWICE\nint third(void);\n#endif\n",
    "u.c": "third();",
    "v.c": "fourth();",
  };
  expect(touched(HEADER, patched, more)).toEqual({ names: ["TWICE", "third", "twice", "used"], asked: ["u.c"] });
});

test("a condition around what was there touches it", () => {
  const patched = HEADER.replace("int used(struct s *p);", "#ifdef X\nint used(struct s *p);\n#endif");
  expect(touched(HEADER, patched)).toEqual({ names: ["used"], asked: [] });
});

test.each([
  ["the definition of a variable", "int used(struct s *p);", "int variable;"],
  ["code", "int used(struct s *p);", "int used(struct s *p) { return 1; }"],
  ["a directive", "int used(struct s *p);", '#include "b.h"'],
  ["a pragma", "int used(struct s *p);", "#pragma pack(1)"],
  ["what begins with a macro's call", "int used(struct s *p);", "MAKE(used);"],
  ["an attribute that acts by itself", "int used(struct s *p);", "int used(struct s *p) __attribute__((weak));"],
  ["a name that the compiler knows", "int used(struct s *p);", "int memcpy(struct s *p);"],
  ["half a declaration under a condition", "int used(struct s *p);", "int\n#ifdef A\nused\n#endif\n(struct s *p);"],
  ["no C", "int used(struct s *p);", "}"],
])("all readers of the header are asked where what changes is %s", (_, from, to) => {
  expect(touched(HEADER, HEADER.replace(from, to), { "m.h": "#define MAKE(name) int name\n" }).asked).toEqual(["a.h"]);
});

test("readers of a file are asked in which a macro in the declaration is more than an attribute", () => {
  const original = HEADER.replace("int used", "__attr int used");
  const patched = original.replace("int used", "long used");
  const plain = "#define __attr __attribute__((__pure__))\n";
  expect(touched(original, patched, { "b.h": plain }).asked).toEqual([]);
  expect(touched(original, patched, { "b.h": plain, "c.h": "#define __attr static int more;\n" }).asked).toEqual([
    "c.h",
  ]);
});

test("readers of a file are asked in which a macro in an inline function's body acts beyond it", () => {
  const patched = `${HEADER}static inline int fresh(void) { return VALUE; }\n`;
  const names = ["fresh"];
  expect(touched(HEADER, patched, { "b.h": "#define VALUE ({ int a = 1; a; })\n" })).toEqual({ names, asked: [] });
  for (const body of [
    "({ extern int a; a; })",
    '({ _Pragma("pack(1)") 1; })',
    "1; } int a; {",
    "({ static int a __attribute__((used)); a; })",
    "VAL ## UE2",
  ])
    for (const [value, other, asked] of [
      ["include/b.h", "include/c.h", "include/c.h"],
      // Few read it, and without it there is nothing to see of the other.
      ["b.h", "include/c.h", "b.h"],
    ] as const) {
      const more = { [value]: "#define VALUE OTHER\n", [other]: `#define OTHER ${body}\n` };
      expect(touched(HEADER, patched, more)).toEqual({ names, asked: [asked] });
    }
});

test("a tag that a change mentions first is touched, and one that was declared before is not", () => {
  const fresh = "struct fresh *get(void);\n";
  expect(touched(HEADER, `${HEADER}${fresh}`).names).toEqual(["fresh", "get"]);
  expect(touched(`struct fresh;\n${HEADER}`, `struct fresh;\n${HEADER}${fresh}`).names).toEqual(["get"]);
  const under = `#ifdef A\nstruct fresh;\n#endif\n${HEADER}`;
  expect(touched(under, `${under}${fresh}`).names).toEqual(["fresh", "get"]);
});

test("a unit is asked in any case where it has what is looked at nowhere", () => {
  const patched = HEADER.replace("int used", "long used");
  for (const text of ["%:define A", "int x = __COUNTER__;", 'int b(void) __attribute__((alias("a" NAME)));'])
    expect(touched(HEADER, patched, { "u.c": text }).asked).toEqual(["u.c"]);
  const counting = "#define __UNIQUE_ID(prefix) __PASTE(__PASTE(__UNIQUE_ID_, prefix), __COUNTER__)\n";
  expect(touched(HEADER, patched, { "b.h": counting }).asked).toEqual([]);
});
