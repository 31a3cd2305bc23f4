/** Variables whose pointers the kernel follows where they lie. */
import { describe, expect, test } from "vitest";
import { compared } from "./compiled.fixture.ts";
import { needsSwitch } from "./selection.ts";

const all = { functions: true, contents: true };
const inPlace = {
  canSwitch: true,
  readInPlace: (name: string) => (name === "live" || name === "held" ? { pointers: true } : all),
};

function written(original: string, patched: string, options: Parameters<typeof compared>[2] = inPlace) {
  const { diff, pieces, refusals, leftOut } = compared(original, patched, options);
  const words = diff.selection.words.map(({ atom, offset, after: { pointer, copied } }) => {
    const to = pointer?.destination;
    const name = to?.kind === "piece" ? to.atom.name : to?.kind === "external" ? to.name : "";
    return [`${atom.name}+${offset}`, to?.kind ?? "bytes", name, ...(copied === undefined ? [] : [copied])].join(" ");
  });
  expect(needsSwitch(diff.selection)).toBe(words.length > 0);
  return { words, pieces, refusals, leftOut };
}

describe("a pointer of a variable that is used in place", () => {
  const source = `
    struct type { const char *name; int (*vet)(int); int (*make)(int); long flags; };
    struct type live = { "live", NULL, outside, 1 };
    int run(int a) { return live.vet ? live.vet(a) : live.make(a); }
  `;
  const more = "static int vet(int a) { return other(a) * 3; } struct type live";
  const withNew = source.replace("struct type live", more).replace("NULL, outside", "vet, outside");
  const refused = { words: [], refusals: ["DATA_CHANGED"] };

  test("leads to a new function, which travels", () => {
    expect(written(source, withNew)).toEqual({
      words: ["live+8 piece vet"],
      pieces: ["vet"],
      refusals: [],
      leftOut: [],
    });
  });

  test("leads to a function of the kernel", () => {
    const patched = source.replace("outside, 1", "other, 1");
    expect(written(source, patched)).toMatchObject({ words: ["live+16 external other"], pieces: [], refusals: [] });
  });

  test("stays where another value of it is changed, too", () => {
    expect(written(source, withNew.replace("outside, 1", "outside, 2"))).toMatchObject(refused);
  });

  test("stays where it is not known that nobody has a copy of the variable", () => {
    expect(written(source, withNew, { canSwitch: true })).toMatchObject(refused);
    expect(written(source, withNew, { canSwitch: true, readInPlace: () => all })).toMatchObject(refused);
  });

  test("stays where nothing can be switched", () => {
    expect(written(source, withNew, { ...inPlace, canSwitch: false })).toMatchObject(refused);
  });
});

describe("a constant that only a variable which is used in place points to", () => {
  const source = `
    struct driver { const int *ids; long flags; };
    static const int ids[] = { 3, 5, 0 };
    struct driver held = { ids, 1 };
    int probe(void) { return held.ids[0]; }
  `;
  const longer = source.replace("5, 0", "5, 7, 0");

  test("gives way to a copy of the new one, whatever its size", () => {
    const words = ["held+0 piece ids 16"];
    expect(written(source, longer)).toEqual({ words, pieces: ["ids"], refusals: [], leftOut: [] });
  });

  test("is written over where it has the same size", () => {
    const words = ["ids+0 bytes "];
    expect(written(source, source.replace("3, 5", "3, 6"))).toEqual({ words, pieces: [], refusals: [], leftOut: [] });
  });

  test("is refused where functions have its address, too", () => {
    const first = "int first(void) { return *(const int *volatile *)&held.ids == ids; }";
    expect(written(source + first, longer + first)).toMatchObject({ words: [], refusals: ["CONSTANT_IN_LIVE_DATA"] });
  });
});

describe("a module's parameter", () => {
  const parameter = (name: string) =>
    `static const struct parameter __param_${name} __used __section("__param") = { "${name}", &plain, &size, 0644 };`;
  const source = `
    struct operations { int (*set)(int); };
    extern const struct operations plain;
    static int size;
    struct parameter { const char *name; const struct operations *operations; int *value; long mode; };
    ${parameter("size")}
    ${parameter("other")}
    int use(void) { return size; }
  `;
  const inModule = { canSwitch: true, isModule: true };

  test("gets other operations, which travel with what they call", () => {
    const checked = `
      static int set_checked(int a) { return a < 9 ? outside(a) : -1; }
      static const struct operations checked = { set_checked };
    `;
    const patched = source.replace(parameter("size"), checked + parameter("size").replace("&plain", "&checked"));
    expect(written(source, patched, inModule)).toEqual({
      words: ["__param_size+8 piece checked"],
      pieces: ["checked", "set_checked"],
      refusals: [],
      leftOut: [],
    });
  });

  test.each([
    ["of another mode stays as it was registered", (text: string) => text.replace("0644 }", "0600 }")],
    ["that is new is not there", (text: string) => text.replaceAll("other", "another")],
  ])("%s", (_, change) => {
    const left = { words: [], leftOut: ["PARAMETER_STAYS"] };
    expect(written(source, change(source), inModule)).toMatchObject(left);
  });
});

describe("a constant of which the kernel has made a copy", () => {
  const source = `
    struct attr { const char *name; long mode; int (*read)(int); };
    int first(int a) { return outside(a) * 2; }
    int second(int a) { return outside(a) * 3; }
    static const struct attr file = { "file", 0444, first };
    extern int give(const struct attr *);
    int add(int a) { return give(&file) + a; }
  `;
  const options = { canSwitch: true, readInPlace: () => ({ functions: true, copied: true }) };

  test("is not written over where its mode changes", () => {
    const patched = source.replace("0444", "0400");
    expect(written(source, patched, options).refusals).toContain("CONSTANT_IN_USE");
    const others = { canSwitch: true, readInPlace: () => all };
    expect(written(source, patched, others)).toMatchObject({ words: ["file+8 bytes "], refusals: [] });
  });

  test("is where one function takes the place of another", () => {
    const patched = source.replace("0444, first", "0444, second");
    expect(written(source, patched, options)).toMatchObject({ words: ["file+16 original "], refusals: [] });
  });

  test.each([
    { what: "of whose type nothing is known", is: undefined, changes: ["0400, first", "0444, second"] },
    { what: "called there alone", is: { functions: true, contents: false }, changes: ["0400, first"] },
    { what: "read there alone", is: { functions: false, contents: true }, changes: ["0444, second"] },
  ])("one $what is not written over", ({ is, changes }) => {
    for (const change of changes) {
      const found = written(source, source.replace("0444, first", change), { canSwitch: true, readInPlace: () => is });
      expect(found.words).toEqual([]);
      expect(found.refusals).toContain("CONSTANT_IN_USE");
    }
  });
});

describe("a constant that functions hand out, and that is read where it lies", () => {
  const source = `
    static const int policy[] = { 3, 5, 0, 7 };
    extern int parse(const int *);
    int first(int a) { return parse(policy) + a; }
  `;
  const patched = source.replace("3, 5", "3, 6");

  test("is written over", () => {
    const options = { canSwitch: true, readInPlace: () => ({ contents: true }) };
    expect(written(source, patched, options)).toMatchObject({ words: ["policy+0 bytes "], pieces: [] });
  });

  test("comes along where it may have been copied, or is read by functions alone", () => {
    expect(written(source, patched, { canSwitch: true })).toMatchObject({ words: [], pieces: ["first", "policy"] });
    const read = source.replace("parse(policy) + a", "policy[a & 3]");
    const options = { canSwitch: true, readInPlace: () => ({ contents: true }) };
    expect(written(read, read.replace("3, 5", "3, 6"), options)).toMatchObject({ words: [] });
  });
});
