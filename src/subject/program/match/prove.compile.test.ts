import { expect, test } from "vitest";
import { linked } from "../shipped/linked.fixture.ts";
import { partsOf, proveIn } from "./prove.ts";

const FORM = { compile: ["-O2", "-fPIE"], link: ["-pie"] };
const MAIN =
  "int first(int); int second(int); int third(int); int main(int argc, char **v) { return first(argc) + second(argc) + third(argc); }";

const ONE = "int first(int); int main(int argc, char **v) { return first(argc); }";

/** Three functions, of which the last has this number in it. */
function written(by: number): string {
  return `
int first(int x) { int sum = 0; for (int i = 0; i < x; i++) sum += i * x + 3; return sum; }
int second(int x) { int sum = 1; for (int i = 1; i < x; i++) sum *= i + x - 7; return sum; }
int third(int x) { int sum = x; for (int i = 2; i < x; i++) sum ^= i * ${by} + x; return sum; }
`;
}

test("a unit is part of the program that has all of it, not of one with a file that was written alike", () => {
  const own = linked({ "own.c": written(11), "main.c": MAIN }, FORM);
  const alike = linked({ "own.c": written(12), "main.c": MAIN }, FORM);
  const file = own.objects.get("own.c");
  if (file === undefined) throw new Error("not compiled");
  const proofs = [alike.shipped, own.shipped].map((shipped) => proveIn("own.c", file, shipped));
  expect(partsOf(proofs).map(({ shipped }) => shipped)).toEqual([own.shipped]);
  expect(partsOf(proofs.slice(0, 1)).map(({ match }) => [...match.proved.keys()])).toEqual([["first", "second"]]);
});

test("a unit of which a program has the functions of a header alone is no part of it", () => {
  const header = `static int __attribute__((noinline)) shared(int x) { int sum = 0; for (int i = 0; i < x; i++) sum += i * x + 3; return sum; }`;
  const other = linked({ "own.c": `${header} int first(int x) { return shared(x) * 3; }`, "main.c": ONE }, FORM);
  const library = `${header} int in_library(int x) { return shared(x + 1) * 5; }`;
  const file = linked(
    { "library.c": library, "own.c": "int first(int x) { return x; }", "main.c": ONE },
    FORM,
  ).objects.get("library.c");
  if (file === undefined) throw new Error("not compiled");
  const proof = proveIn("library.c", file, other.shipped);
  expect([...proof.match.proved.keys()]).toEqual(["shared"]);
  expect(partsOf([proof])).toEqual([]);
});
