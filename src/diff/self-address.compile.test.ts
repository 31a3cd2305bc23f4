/** A function's address is that of its running entry, wherever it is taken. */
import { expect, test } from "vitest";
import { compared, comparedElf, compiledElf } from "./compiled.fixture.ts";

const POSITION_INDEPENDENT = ["-mcmodel=small", "-fPIE", "-mno-record-mcount"];
const TICK = `
void (*next)(int);
noinline static void tick(int n) { outside(n + 1); next = tick; }
void start(void) { next = tick; }
`;

function taken(source: string, from: string, to: string, gcc: readonly string[] = []) {
  const flags = [...gcc];
  const diff = comparedElf(compiledElf(source, flags), compiledElf(source.replace(from, to), flags), {
    needsHook: gcc.length === 0,
  });
  return (name: string, of: string) =>
    diff.piece(name).references.flatMap(({ destination, isBranch }) => {
      const isIt = (destination.kind === "piece" || destination.kind === "original") && destination.atom.name === of;
      return isIt ? [`${isBranch ? "branch" : "address"} ${destination.kind}`] : [];
    });
}

test("a function that takes its own address gets its running entry's", () => {
  expect(taken(TICK, "n + 1", "n + 2")("tick", "tick")).toEqual(["address original"]);
});

test("so it does where the assembler has resolved the address with no relocation", () => {
  const gcc = POSITION_INDEPENDENT;
  expect(compiledElf(TICK, gcc).symbols.map(({ name }) => name)).toContain("tick");
  expect(taken(TICK, "n + 1", "n + 2", gcc)("tick", "tick")).toEqual(["address original"]);
});

test("and where another function of the same section is meant", () => {
  const source = TICK.replace("void start", '__section(".text.both") void start').replace(
    "noinline static",
    'noinline __section(".text.both") static',
  );
  const changed = source.replace("n + 1", "n + 2");
  const gcc = POSITION_INDEPENDENT;
  const result = taken(changed, "void) { next = tick", "void) { outside(0); next = tick", gcc);
  expect(result("start", "tick")).toEqual(["address original"]);
});

test("a function that calls itself stays in its new version", () => {
  const source = "int down(int n) { return n ? outside(down(n - 1)) + 1 : 0; }";
  const { piece } = compared(source, source.replace("+ 1", "+ 2"));
  const own = piece("down").references.filter(({ destination }) => destination.kind !== "external");
  expect(own.every(({ isBranch, destination }) => isBranch && destination.kind === "piece")).toBe(true);
});

test("a label at a function's start that a table of jumps leads to is a place in the new code", () => {
  const source = `
    int walk(int n) {
      static const void *const where[] = { &&again, &&other, &&last };
      again: n = outside(n); goto *where[n & 3];
      other: n += 7; goto *where[n & 1];
      last: return n + 1;
    }`;
  const { piece, pieces } = compared(source, source.replace("n + 1", "n + 2"));
  const table = pieces.find((name) => name.startsWith("where"));
  const kinds = piece(table ?? "").references.map(({ destination }) => destination.kind);
  expect(new Set(kinds)).toEqual(new Set(["piece"]));
});
