import { expect, test } from "vitest";
import { linked } from "../shipped/linked.fixture.ts";
import { matchObject } from "./match-object.ts";
import { PlainObject } from "./plain-object.ts";

/** A weak table that each unit has, as header files bring it, before a table of jumps that only this unit has. */
function unit(name: string, step: number): string {
  const cases = [0, 1, 2, 3, 4, 5, 6, 7].map(
    (each) => `case ${each}: puts("${name}${each}"); return x * ${each + step};`,
  );
  return `#include <stdio.h>
const unsigned char folded[256] __attribute__((weak)) = { 1, 2, 3, 4 };
int ${name}_folded(int x) { return folded[x & 255]; }
int ${name}(int x) { switch (x) { ${cases.join(" ")} default: return 0; } }
`;
}

test("a weak table of another unit says nothing of where this unit's constants lie", () => {
  const { objects, shipped } = linked(
    {
      "one.c": unit("one", 3),
      "two.c": unit("two", 5),
      "main.c":
        "int one(int); int two(int); int one_folded(int); int two_folded(int);\n" +
        "int main(int n, char **v) { return v != 0 ? one(n) + two(n) + one_folded(n) + two_folded(n) : 0; }",
    },
    { compile: ["-O2", "-fPIE"], link: ["-pie"] },
  );
  for (const file of objects.values()) {
    expect([...matchObject(new PlainObject(file), shipped).mismatches]).toEqual([]);
  }
});
