import { expect, test } from "vitest";
import { linked } from "../shipped/linked.fixture.ts";
import { isOtherVariant, isPart, proveIn } from "./prove.ts";

const PLAIN = [3, 5, 7, 11, 13].map(
  (step) => `int plain${step}(int x) { for (int i = 0; i < ${step}; i++) x = x * ${step * 31} + i; return x; }`,
);
/** What refers to a variable that others may have, a library's code has to look up. */
const SOURCE = `
int shared;
int counted(int x) { return shared += x; }
${PLAIN.join("\n")}
`;

test("a library's unit that is compiled with and without -fPIC is the one that was linked", () => {
  const library = linked({ "unit.c": SOURCE }, { compile: ["-O2", "-fPIC"], link: ["-shared"] });
  const program = linked(
    { "unit.c": SOURCE, "main.c": "int counted(int); int main(int n, char **v) { return v != 0 ? counted(n) : 0; }" },
    { compile: ["-O2", "-fPIE"], link: ["-pie"] },
  );
  const own = library.objects.get("unit.c");
  const archived = program.objects.get("unit.c");
  if (own === undefined || archived === undefined) throw new Error("not compiled");
  const [shared, still] = [own, archived].map((file) => proveIn("unit.c", file, library.shipped));
  if (shared === undefined || still === undefined) throw new Error("not proved");
  expect(isPart(shared)).toBe(true);
  expect(still.match.mismatches.size).toBeGreaterThan(0);
  expect(isPart(still)).toBe(true);
  expect(isOtherVariant(still, [shared, still])).toBe(true);
  expect(isOtherVariant(shared, [shared, still])).toBe(false);
});
