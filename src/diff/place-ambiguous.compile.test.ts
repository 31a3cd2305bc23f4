/** The end of one variable and the start of the next are one place in a section that the compiler does not split. */
import { expect, test } from "vitest";
import { compared } from "./compiled.fixture.ts";

const mostly = '__section(".data..read_mostly")';
const source = (between: string, use: string) => `
  static ${mostly} int numbers[4] = { 1, 2, 3, 4 };
  ${between}
  static ${mostly} int last = 9;
  int walk(int a) {
    for (int *p = numbers; p < numbers + 4; p++) { *p += a; asm volatile("" : : "r"(p), "i"(numbers + 4)); }
    return outside(a)${use};
  }
  int tell(int a) { return last += a; }
`;

test("where a new variable comes between, it is not guessed which is meant", () => {
  const patched = source(`static ${mostly} int added[4] = { 7 };`, " + added[0]++");
  expect(compared(source("", ""), patched).refusals).toEqual(["PLACE_AMBIGUOUS"]);
});

test("where both are in what runs side by side, it makes no difference", () => {
  const { refusals, funcs } = compared(source("", ""), source("", " + 1"));
  expect({ refusals, funcs }).toEqual({ refusals: [], funcs: ["walk"] });
});

test("a new variable travels where the code that uses it does not use the one before it", () => {
  const text = source("", "").replace(/ {2}int walk[\s\S]*? {2}}\n/, "int walk(int a) { return numbers[a]++; }\n");
  const added = `static ${mostly} int added[4] = { 7 };\nstatic ${mostly} int last`;
  const patched = text.replace(`static ${mostly} int last`, added).replace("last += a", "last += added[a]++");
  expect(compared(text, patched)).toMatchObject({ refusals: [], funcs: ["tell"], pieces: ["added", "tell"] });
});

test("debug sites are no arrays: one that comes between others makes nothing unclear", () => {
  const site = (line: number) =>
    `static struct site s${line} __section("__dyndbg") __attribute__((aligned(8))) = { ${line} }; said(&s${line});`;
  const text = (more: string) => `
    struct site { long line, more[6]; };
    extern void said(struct site *);
    int tell(int a) { ${site(1)} ${more} ${site(3)} return a; }
  `;
  expect(compared(text(""), text(site(2)))).toMatchObject({ refusals: [], funcs: ["tell"] });
});
