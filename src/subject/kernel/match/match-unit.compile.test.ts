import { describe, expect, test } from "vitest";
import { compiledElf } from "../../../diff/compiled.fixture.ts";
import { readUnit } from "../../../diff/read-unit.ts";
import type { TableEntry, Unit } from "../../../diff/unit.ts";
import { atomOf, MadeUpImage } from "./made-up-image.fixture.ts";
import { matchUnit } from "./match-unit.ts";

const SOURCE = `
static int level = 3;
noinline int get(int n) { level += n; return outside(level); }
noinline int say(int n) { return printk("level %d", get(n)); }
`;

/** Where things lie; what is not here lies nowhere. */
const AT: Readonly<Record<string, number>> = {
  get: 0x1000,
  say: 0x2000,
  level: 0x3000,
  outside: 0x4000,
  other: 0x4100,
  printk: 0x5000,
  __fentry__: 0x6000,
};
/** The call of ftrace at each entry; code begins behind it. */
const HOOK_BYTES = 5;
const lead = (name: string): number => AT[name] ?? 0;

function unitOf(source: string): Unit {
  return readUnit(compiledElf(source), {});
}

/** The image with the unit's own code in it, and what others define. */
function image(unit: Unit, names: readonly string[] = ["get", "say"]): MadeUpImage {
  const made = new MadeUpImage(unit);
  for (const name of names) made.place(atomOf(unit, name), lead(name), lead);
  for (const name of ["outside", "other", "printk", "__fentry__"]) made.name(name, lead(name));
  return made;
}

describe("what ships is what was compiled", () => {
  test("each function is proved where it lies", () => {
    const unit = unitOf(SOURCE);
    const { proved, places, mismatches } = matchUnit(unit, image(unit));
    expect([...proved].map(({ name }) => [name, places.get(atomOf(unit, name))])).toEqual([
      ["get", 0x1000],
      ["say", 0x2000],
    ]);
    expect(mismatches.size).toBe(0);
  });

  test("what a proved function refers to is found by that, whether it has a symbol there or not", () => {
    const unit = unitOf(SOURCE);
    const shipped = image(unit);
    const { places, externals, literals } = matchUnit(unit, shipped);
    expect(places.get(atomOf(unit, "level"))).toBe(0x3000);
    expect(externals.get("outside")).toBe(0x4000);
    const text = literals.get("level %d\0");
    expect(shipped.bytes(text ?? 0, 5)?.toString()).toBe("level");
  });

  test("a linker's symbol that the table lacks, where the table has the end of the text", () => {
    const unit = unitOf(SOURCE);
    const shipped = new MadeUpImage(unit);
    for (const name of ["get", "say"]) shipped.place(atomOf(unit, name), lead(name), lead);
    for (const name of ["printk", "__fentry__"]) shipped.name(name, lead(name));
    shipped.name("_etext", lead("outside"));
    const { proved, externals } = matchUnit(unit, shipped);
    expect([...proved].map(({ name }) => name)).toEqual(["get", "say"]);
    expect(externals.get("outside")).toBe(lead("outside"));
  });

  test("a symbol that the table lacks has one place in all of the unit", () => {
    const unit = unitOf(`${SOURCE} noinline int more(int n) { return outside(n + 1); }`);
    const shipped = new MadeUpImage(unit);
    for (const name of ["printk", "__fentry__"]) shipped.name(name, lead(name));
    for (const name of ["get", "say"]) shipped.place(atomOf(unit, name), lead(name), lead);
    const more = atomOf(unit, "more");
    shipped.place(more, 0x2800, (name) => (name === "outside" ? 0x4800 : lead(name)));
    expect(matchUnit(unit, shipped).mismatches.get(more)).toMatchObject({ kind: "target", wanted: "outside" });
  });

  test("bytes behind a function's last instruction are no part of it", () => {
    const unit = unitOf(SOURCE);
    const get = atomOf(unit, "get");
    const shipped = new MadeUpImage(unit);
    const padded = { ...get, data: Buffer.concat([get.data, Buffer.alloc(8, 0x90)]), end: get.end + 8 };
    shipped.place(padded, lead("get"), lead);
    for (const name of ["outside", "__fentry__"]) shipped.name(name, lead(name));
    expect([...matchUnit(unit, shipped).proved].map(({ name }) => name)).toEqual(["get"]);
  });
});

describe("what ships is something else", () => {
  test("another byte: the place and the offset are told", () => {
    const unit = unitOf(SOURCE);
    const shipped = image(unit, ["say"]);
    const get = atomOf(unit, "get");
    shipped.place(get, lead("get"), lead, (bytes) => bytes.writeUInt8(0xcc, HOOK_BYTES));
    const { proved, mismatches } = matchUnit(unit, shipped);
    expect(proved.has(get)).toBe(false);
    expect(mismatches.get(get)).toEqual({ kind: "bytes", at: 0x1000, offset: HOOK_BYTES });
  });

  test("the same code that calls another function", () => {
    const unit = unitOf(SOURCE);
    const shipped = image(unit, ["say"]);
    const get = atomOf(unit, "get");
    shipped.place(get, lead("get"), (name) => lead(name === "outside" ? "other" : name));
    expect(matchUnit(unit, shipped).mismatches.get(get)).toMatchObject({
      kind: "target",
      wanted: "outside",
      found: "other",
    });
  });

  test("the same code with another string", () => {
    const unit = unitOf(SOURCE);
    const shipped = image(unitOf(SOURCE.replace("level %d", "lever %d")));
    const { proved, mismatches } = matchUnit(unit, shipped);
    expect([...proved].map(({ name }) => name)).toEqual(["get"]);
    expect(mismatches.get(atomOf(unit, "say"))).toMatchObject({ kind: "target", wanted: '"level %d\\u0000"' });
  });

  test("a function that is not there", () => {
    const unit = unitOf(SOURCE);
    expect(matchUnit(unit, image(unit, ["get"])).mismatches.get(atomOf(unit, "say"))).toEqual({ kind: "absent" });
  });
});

describe("equal code of equal name", () => {
  const TWINS = `
    static noinline int twin(int n) { return outside(n); }
    noinline int get(int n) { return twin(n) + 1; }
  `;

  test("who calls it says which one it is", () => {
    const unit = unitOf(TWINS);
    const shipped = image(unit, []);
    const twin = atomOf(unit, "twin");
    shipped.place(twin, 0x7000, lead);
    shipped.place(twin, 0x8000, lead);
    shipped.place(atomOf(unit, "get"), lead("get"), (name) => (name === "twin" ? 0x8000 : lead(name)));
    expect(matchUnit(unit, shipped).places.get(twin)).toBe(0x8000);
  });

  test("where nobody says it, the one that lies among the unit's other functions is taken", () => {
    const unit = unitOf(`
      noinline int first(int n) { return other(n) + 5; }
      noinline int twin(int n) { return outside(n); }
    `);
    const shipped = image(unit, []);
    shipped.place(atomOf(unit, "first"), 0x8100, lead);
    for (const at of [0x1000, 0x8200, 0xf000]) shipped.place(atomOf(unit, "twin"), at, lead);
    expect(matchUnit(unit, shipped).places.get(atomOf(unit, "twin"))).toBe(0x8200);
  });
});

test("a weak function that another one takes the place of is not proved, and its callers are", () => {
  const unit = unitOf(`
    __attribute__((weak)) noinline int choose(int n) { return n; }
    noinline int get(int n) { return choose(n) + 1; }
  `);
  const strong = unitOf("noinline int choose(int n) { return outside(n) + 7; }");
  const shipped = image(unit, []);
  shipped.place(atomOf(strong, "choose"), 0x7000, lead);
  shipped.place(atomOf(unit, "get"), lead("get"), (name) => (name === "choose" ? 0x7000 : lead(name)));
  const { proved } = matchUnit(unit, shipped);
  expect([...proved].map(({ name }) => name)).toEqual(["get"]);
});

test("a constant is where proved code says only if it holds there what the original's does", () => {
  const table = (last: number) => `
    static const int sizes[4] = { 1, 2, 3, ${last} };
    noinline int get(int n) { return outside(sizes[n & 3]); }
  `;
  const unit = unitOf(table(4));
  const placed = (from: Unit): number | undefined => {
    const shipped = image(unit, []);
    const at = (name: string) => (name === "sizes" ? 0x7000 : lead(name));
    shipped.place(atomOf(unit, "get"), lead("get"), at);
    shipped.place(atomOf(from, "sizes"), 0x7000, at);
    return matchUnit(unit, shipped).places.get(atomOf(unit, "sizes"));
  };
  expect([placed(unit), placed(unitOf(table(5)))]).toEqual([0x7000, undefined]);
});

describe("what a warning hands on", () => {
  const warn = `
extern void trap(void *);
noinline void check(int n) {
  void *bug;
  asm volatile("lea 2f(%%rip), %0\\n1:\\n.pushsection __bug_table,\\"aw\\"\\n2: .long 1b - .\\n.long %c1 - .\\n.long 0\\n.word 7\\n.word 1\\n.popsection" : "=r"(bug) : "i"("checked"));
  trap(bug);
}
`;
  const at: Readonly<Record<string, number>> = { check: 0x1000, __bug_table: 0x3000, trap: 0x4000, __fentry__: 0x6000 };
  const place = (name: string): number => at[name] ?? 0;

  function checked(edit: (made: MadeUpImage, entry: TableEntry) => void): string[] {
    const unit = readUnit(compiledElf(warn), { bug_entry: 16 });
    const check = atomOf(unit, "check");
    const [entry] = check.entries.filter(({ table }) => table.name === "__bug_table");
    if (entry === undefined) throw new Error("no entry");
    const made = new MadeUpImage(unit);
    made.place(check, place("check"), place);
    for (const name of ["trap", "__fentry__"]) made.name(name, place(name));
    edit(made, entry);
    return [...matchUnit(unit, made).proved].map(({ name }) => name);
  }

  test("is an entry about this very place, with what the original's says", () => {
    expect(checked((made, entry) => made.entry(entry, place("__bug_table"), place))).toEqual(["check"]);
  });

  test("is not an entry about another place, or one that says something else, or none", () => {
    const elsewhere = (name: string): number => place(name) + (name === "check" ? 1 : 0);
    expect(checked((made, entry) => made.entry(entry, place("__bug_table"), elsewhere))).toEqual([]);
    expect(
      checked((made, entry) => {
        const data = Buffer.from(entry.data);
        data.writeUInt16LE(8, 12);
        made.entry({ ...entry, data }, place("__bug_table"), place);
      }),
    ).toEqual([]);
    expect(checked(() => undefined)).toEqual([]);
  });
});
