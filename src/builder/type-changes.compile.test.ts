/** Units whose compiler tells of their types, and those of which it tells nothing. */
import { expect, test } from "vitest";
import { compiledElf } from "../diff/compiled.fixture.ts";
import { untoldTypes } from "./type-changes.ts";

const TEXT = "struct s { int a, b; }; int get(struct s *s) { return s->b; }\n";

function codes(flags: readonly string[], telling = [".BTF"]) {
  const [originalFile, patchedFile] = [TEXT, TEXT.replace("->b", "->a")].map((text) => compiledElf(text, flags));
  if (originalFile === undefined || patchedFile === undefined) throw new Error("two sides");
  return untoldTypes({ unit: { source: "unit.c" }, originalFile, patchedFile }, telling).map(({ code }) => code);
}

test("a unit without types is refused, and not taken for one whose types are the same", () => {
  expect(codes([])).toEqual(["TYPES_NOT_TOLD"]);
  expect(codes(["-gbtf"])).toEqual([]);
  expect(codes(["-gdwarf-5"])).toEqual(["TYPES_NOT_TOLD"]);
  expect(codes(["-gdwarf-5"], [".BTF", ".debug_info"])).toEqual([]);
});
