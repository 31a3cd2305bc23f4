import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseDependencies } from "../../source/dependencies.ts";
import { splitWords } from "./kbuild-words.ts";

test("a command is split as the shell splits it", () => {
  const piece = fc.constantFrom("a", "-Dx=", "'b c'", '"d e"', "'\"f\"'", '"\\"g"', "\\ ", "\\'", " ", "\t", "''");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const command = pieces.join("");
      const script = `for word in ${command.trim() === "" ? '"${nothing[@]}"' : command}; do printf '%s\\0' "$word"; done`;
      const words = execFileSync("bash", ["-c", script], { encoding: "utf8" }).split("\0").slice(0, -1);
      expect(splitWords(command)).toEqual(words);
    }),
    { numRuns: 200 },
  );
});

test("a semicolon is a word of its own", () => {
  expect(splitWords("gcc -o a.o a.c   ; ./objtool a.o")).toEqual(["gcc", "-o", "a.o", "a.c", ";", "./objtool", "a.o"]);
});

test("the names in a list of dependencies", () => {
  expect(parseDependencies("a.o: a.c \\\n  include/x.h include/y.h \\\n dir/with\\ space.h $$x.h\n")).toEqual([
    "a.c",
    "include/x.h",
    "include/y.h",
    "dir/with space.h",
    "$x.h",
  ]);
  expect(parseDependencies("a.o:\n")).toEqual([]);
});
