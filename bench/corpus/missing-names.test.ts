import { expect, test } from "vitest";
import { headersFor, missingNames } from "./missing-names.ts";

const first = (words: string): string[] => [...(missingNames(words)[0] ?? [])];

test.each<[string, string[]]>([
  ["a.c:1:2: error: implicit declaration of function 'f'; did you mean 'g'? [-Werror=x]", ["f"]],
  ["a.c:1:2: error: 'struct s' has no member named 'm'; did you mean 'n'?", ["m"]],
  [
    "a.c:1:2: error: conflicting types for 'f'; have 'int(struct s *, u8)' {aka 'int(struct s *, unsigned char)'}",
    ["f"],
  ],
  ["a.c:1:2: error: passing argument 1 of 'f' from incompatible pointer type [-Werror=y]", ["f"]],
  ['a.c:1:2: error: macro "M" passed 2 arguments, but takes just 1', ["M"]],
  ["a.c:1:2: note: in expansion of macro 'CC'\na.c:1:2: error: unknown type name 'struct_t'", ["struct_t"]],
])("%s is about one name", (words, expected) => {
  expect(first(words)).toEqual(expected);
});

test("headers are those whose changes mention a name, and no others", () => {
  const changes = new Map([
    ["a.h", "void wanted(u8 a);"],
    ["b.h", "u8 flags;"],
  ]);
  const words = "a.c:1:2: error: conflicting types for 'wanted'; have 'void(u8, struct other *)'";
  expect(headersFor(missingNames(words), [...changes.keys()], (path) => changes.get(path) ?? "")).toEqual(["a.h"]);
});

test("a name that a macro puts together is found by its longest part", () => {
  const changes = new Map([
    ["device.h", "__create_accessors(ready_to_probe, DEV_READY);"],
    ["probe.h", "int probe;"],
  ]);
  const words = "a.c:1:2: error: implicit declaration of function 'dev_ready_to_probe'";
  expect(headersFor(missingNames(words), [...changes.keys()], (path) => changes.get(path) ?? "")).toEqual(["device.h"]);
});

test("where no header has anything of a name, none is named", () => {
  expect(headersFor(missingNames("a.c:1:2: error: 'x' undeclared"), ["a.h"], () => "int y;")).toEqual([]);
});
