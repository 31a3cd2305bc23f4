/** A unit in two forms, PROVED and not, as a header makes them in the kernel. */
import { expect, test } from "vitest";
import { compare } from "../../../diff/compare.ts";
import { compiledElf } from "../../../diff/compiled.fixture.ts";
import { correlate } from "../../../diff/correlate.ts";
import { diffUnits } from "../../../diff/object-diff.ts";
import type { DiffOptions } from "../../../diff/options.ts";
import { readUnit } from "../../../diff/read-unit.ts";
import { type Forms, isAbsent, isCertain } from "./certain.ts";

const HEADER = `
#ifdef PROVED
#define BOUND ({ long bound; asm("mov $0x1234567890, %0\\n1:\\n.pushsection runtime_ptr_bound,\\"a\\"\\n.long 1b - 8 - .\\n.popsection" : "=r"(bound)); bound; })
#define PART static inline __attribute__((always_inline))
#else
#define BOUND bound
#define PART static noinline
#endif
extern long bound;
`;

function inForms(original: string, patched: string) {
  const [before, after] = [["-DPROVED"], []].map((flags) => {
    const [a, b] = [original, patched].map((text) => readUnit(compiledElf(HEADER + text, flags), {}));
    if (a === undefined || b === undefined) throw new Error("two units");
    return { a, b };
  });
  if (before === undefined || after === undefined) throw new Error("two forms");
  const options: DiffOptions = { isModule: false, needsHook: true, canSwitch: true };
  const proved = diffUnits(before.a, before.b, options);
  const pairing = correlate(before.a, after.a, options);
  const forms: Forms = { pairing, differences: compare(after.a, pairing).differences };
  const other = diffUnits(after.a, after.b, { ...options, isAbsent: (atom) => isAbsent(atom, forms) });
  const { funcs, newFunctions, pieces } = other.selection;
  return {
    isCertain: isCertain(proved, other, forms),
    provedRefusals: proved.refusals.map(({ code }) => code),
    refusals: other.refusals.map(({ code }) => code),
    funcs: funcs.map(({ name }) => name),
    newFunctions,
    bound: pieces.some(({ references }) =>
      references.some(({ destination }) => destination.kind === "external" && destination.name === "bound"),
    ),
  };
}

test("a function that holds a constant which the kernel fills in reads its variable in the other form", () => {
  const source = "int first(long a) { return outside(a < BOUND); }\nint second(int a) { return outside(a) + 1; }\n";
  expect(inForms(source, source.replace("a < ", "a <= "))).toEqual({
    isCertain: true,
    provedRefusals: ["RUNTIME_CONSTANT"],
    refusals: [],
    funcs: ["first"],
    newFunctions: [],
    bound: true,
  });
});

test("a change that the running code has in a caller as well, and the other form in one function alone, is not told in it", () => {
  const source = `
PART int part(long a) { return outside(a) + 1; }
int first(long a) { return part(a < BOUND) + 2; }
`;
  const { isCertain: certain, funcs } = inForms(source, source.replace("+ 1", "+ 3"));
  // The part does not run by itself, so that its caller is replaced in both.
  expect({ certain, funcs }).toEqual({ certain: true, funcs: ["first"] });
  const both = `
#ifdef PROVED
static noinline int part(long a) { return outside(a) + 1; }
int first(long a) { return outside(a < BOUND) + 1 + 2; }
#else
static noinline int part(long a) { return outside(a) + 1; }
int first(long a) { return part(a < BOUND) + 2; }
#endif
int second(long a) { return part(a) + 5; }
`;
  const changed = inForms(both, both.replaceAll("+ 1", "+ 3"));
  expect(changed).toMatchObject({ isCertain: false, funcs: ["part"] });
});

test("a function that the compiler has put into its callers in what runs comes along, as it is", () => {
  const source = `
PART int part(long a) { return outside(a) + 1; }
int first(long a) { return part(a < BOUND) + 2; }
int second(long a) { return part(a) + 4; }
`;
  expect(inForms(source, source.replace("+ 2", "+ 3"))).toMatchObject({
    isCertain: true,
    refusals: [],
    funcs: ["first"],
    newFunctions: ["part"],
  });
});

test("a clone that is other code in the other form comes along, and one that changes is not told in it", () => {
  const source = `
static noinline int part(long a, long b) { return outside(a) + other(b) + (a < BOUND); }
int first(long a) { return part(a, 7) + 2; }
int second(long a) { return part(a, 7) + 4; }
`;
  const kept = inForms(source, source.replace("+ 2", "+ 3"));
  expect(kept).toMatchObject({ isCertain: true, funcs: ["first"] });
  expect(kept.newFunctions).toEqual([expect.stringMatching(/^part\.(isra|constprop)\.0$/)]);
  expect(inForms(source, source.replace("(a) +", "(a) -"))).toMatchObject({ isCertain: false });
});

test("a variable that only init code writes to is not there in what runs", () => {
  const source = `
static long cache;
#ifdef PROVED
#define CACHE BOUND
#else
#define CACHE cache
#endif
__init void set(long a) { cache = a; }
int first(long a) { return outside(a < CACHE); }
`;
  expect(inForms(source, source.replace("a < ", "a <= "))).toMatchObject({ isCertain: false });
});

test("static locals of one name in several functions are not told apart", () => {
  const source = `
int first(long a) { static int count; count += a; return outside(count + (a < BOUND)); }
int second(long a) { static int count; count -= a; return outside(count); }
`;
  expect(inForms(source, source.replace("a < ", "a <= "))).toMatchObject({ isCertain: false });
  const alone = source.replace(/int second.*/, "");
  expect(inForms(alone, alone.replace("a < ", "a <= "))).toMatchObject({ isCertain: true });
});

test("a function that has to be switched without a hook is not told in another form", () => {
  const source = "notrace int first(long a) { return outside(a < BOUND); }\n";
  expect(inForms(source, source.replace("a < ", "a <= "))).toMatchObject({ isCertain: false });
});
