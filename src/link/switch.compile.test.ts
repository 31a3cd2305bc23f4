/** What a livepatch tells the code that switches all of its functions at one moment. */

import { expect, test } from "vitest";
import { x86_64 } from "../arch/x86_64/machine.ts";
import type { FieldTarget } from "./image.ts";
import { Image } from "./image.ts";
import type { LinkUnit } from "./input.ts";
import { linkUnit } from "./link-unit.fixture.ts";
import { placeUnits } from "./placed-unit.ts";
import { switchedObject } from "./switch.ts";

const SOURCE = `
  notrace int exposed(int a) { return outside(a) * 3 + 1; }
  int hooked(int a) { return outside(a) + 7; }
`;
const PATCHED = SOURCE.replace("+ 1", "+ 2").replace("+ 7", "+ 8");
const CALLBACKS = `
  static int begin(void *object) { return outside(1); }
  static int (*const suture_pre_patch)(void *) __used __section(".suture.callback.pre_patch") = begin;
  static void end(void *object) { outside(2); }
  static void (*const suture_post_unpatch)(void *) __used __section(".suture.callback.post_unpatch") = end;
`;

function switched(...units: readonly LinkUnit[]) {
  const image = new Image(x86_64);
  const others = new Map<string, FieldTarget>();
  const changed = placeUnits(units, image, others);
  const from = { target: { kind: "section", section: image.text(), offset: 0 }, addend: 0 } as const;
  const newCode = { name: "its new code", from, bytes: image.text().size };
  const [support] = placeUnits([linkUnit("", CALLBACKS)], image, others);
  if (support === undefined) throw new Error("not placed");
  const object = switchedObject(changed, support, { newCode, livepatch: "livepatch_test" }, image);
  const data = image.variables().data();
  const { table } = object;
  if (table.kind !== "section") throw new Error("not in the livepatch");
  const pointer = (at: number): string => {
    const field = image.variables().fields.find(({ offset }) => offset === at);
    if (field === undefined) return "NULL";
    const { target, addend } = field;
    if (target.kind === "origin") return `${target.origin.name}+${addend}`;
    if (target.kind !== "section") return target.kind;
    if (target.section === image.constants()) return text(image.constants().data(), target.offset);
    const symbol = image.symbols.find(({ section, value }) => section === target.section && value === target.offset);
    return symbol?.name ?? `${target.section.name}+${target.offset}`;
  };
  const within = (at: number): number => {
    const target = image.variables().fields.find(({ offset }) => offset === at)?.target;
    return target?.kind === "section" ? target.offset : -1;
  };
  return { ...object, data, at: table.offset, pointer, within, newCode };
}

function text(data: Buffer, at: number): string {
  return data.toString("latin1", at, data.indexOf(0, at));
}

test("no function is left to the livepatch core, and each record says how it is patched", () => {
  const { funcs, record, refusals, callbacks } = switched(linkUnit(SOURCE, PATCHED));
  expect(refusals).toEqual([]);
  expect(funcs).toEqual([]);
  expect(record.funcs.map(({ name, by }) => [name, by])).toEqual([
    ["exposed", "switch"],
    ["hooked", "switch"],
  ]);
  expect(record.callbacks).toEqual([]);
  expect(Object.keys(callbacks).sort()).toEqual(["post_unpatch", "pre_patch"]);
});

test("each place has the bytes that must be there, and where the jump leads", () => {
  const { data, at, pointer, within } = switched(linkUnit(SOURCE, PATCHED));
  expect(pointer(at)).toBe("livepatch_test");
  expect(data.readUInt32LE(at + 16)).toBe(2);
  const places = within(at + 8);
  expect([0, 8, 16].map((offset) => pointer(places + offset))).toEqual(["exposed+0", "exposed", "exposed"]);
  expect([0, 8, 16].map((offset) => pointer(places + 48 + offset))).toEqual(["hooked+5", "hooked", "hooked"]);
  // sub $8,%rsp; call outside, of which the first byte is compared.
  expect(data.subarray(places + 24, places + 32).toString("hex")).toBe("4883ec08e8000000");
  expect(data.subarray(places + 32, places + 40).toString("hex")).toBe("ffffffffff000000");
});

test("what a relocation fills in is not compared", () => {
  const source = "int word; notrace int exposed(void) { return word + 1; }";
  const { data, at, within } = switched(linkUnit(source, source.replace("+ 1", "+ 2")));
  // mov word(%rip),%eax
  const places = within(at + 8);
  expect(data.subarray(places + 24, places + 32).toString("hex")).toBe("8b05000000000000");
  expect(data.subarray(places + 32, places + 40).toString("hex")).toBe("ffff000000000000");
});

test("old code and new code are what no task may be in", () => {
  const { data, at, pointer, within, newCode } = switched(linkUnit(SOURCE, PATCHED));
  expect(data.readUInt32LE(at + 32)).toBe(2);
  const ranges = within(at + 24);
  expect([pointer(ranges), pointer(ranges + 24)]).toEqual(["exposed+0", "hooked+0"]);
  expect(data.readUInt32LE(ranges + 8)).toBeGreaterThan(10);
  expect(data.readUInt32LE(at + 48)).toBe(newCode.bytes);
});

test("the diff's own callbacks are called by the switch, and are the ones that the record tells", () => {
  const { at, pointer, record } = switched(linkUnit(SOURCE, PATCHED + CALLBACKS));
  expect([pointer(at + 64), pointer(at + 72)]).toEqual(["begin", "end"]);
  expect(record.callbacks).toEqual(["post_unpatch", "pre_patch"]);
});

test("two objects would be switched at two moments: that is refused", () => {
  const { refusals } = switched(linkUnit(SOURCE, PATCHED), linkUnit(SOURCE, PATCHED, "dummy"));
  expect(refusals).toMatchObject([{ code: "NO_HOOK", what: expect.stringMatching(/vmlinux and dummy cannot be/) }]);
});

test("a layout that changes in one object cannot be switched with another object either, and that is the reason", () => {
  const source = "int hooked(int a) { return outside(a) + 7; }";
  const unit = (object: string) => linkUnit(source, source.replace("+ 7", "+ 8"), object);
  const changed = unit("vmlinux");
  const { refusals } = switched({ ...changed, selection: { ...changed.selection, atOnce: true } }, unit("dummy"));
  expect(refusals).toMatchObject([
    {
      code: "DATA_LAYOUT_CHANGED",
      what: expect.stringMatching(/^a struct's layout is changed, and vmlinux and dummy/),
    },
  ]);
});

test("a function with a hook that has no room for the jump is refused with the others", () => {
  const source = `${SOURCE} void tiny(void) { asm volatile("nop"); }`;
  const patched = `${PATCHED} void tiny(void) { asm volatile("cld"); }`;
  const { refusals } = switched(linkUnit(source, patched));
  expect(refusals).toMatchObject([{ code: "NO_HOOK", what: expect.stringMatching(/^tiny is changed, is too short/) }]);
});

const LIMITS = `
  extern int one(int), two(int);
  const int limit[4] = { 1, 2, 3, 4 };
  int (*const handler[])(int) = { one, one };
  int get(int a) { return handler[a & 1](limit[a & 3]); }
`;

test("a word of a constant in use has its old and its new value", () => {
  const { data, at, pointer, within, record } = switched(linkUnit(LIMITS, LIMITS.replace("2, 3", "2, 7")));
  expect(record).toMatchObject({ funcs: [], values: ["limit"] });
  expect(data.readUInt32LE(at + 88)).toBe(1);
  const word = within(at + 80);
  expect([pointer(word), pointer(word + 24), data.readUInt32LE(word + 32)]).toEqual(["limit+8", "limit", 8]);
  expect([8, 16].map((offset) => data.readUInt32LE(word + offset))).toEqual([3, 7]);
});

test("a pointer in it is bound, to what the running system has", () => {
  const { at, pointer, within, refusals } = switched(linkUnit(LIMITS, LIMITS.replace("{ one", "{ two")));
  expect(refusals).toEqual([]);
  const word = within(at + 80);
  expect([0, 8, 16].map((offset) => pointer(word + offset))).toEqual(["handler+0", "one+0", "two+0"]);
});

test("a pointer to what another file of the diff defines anew is refused: it would outlive the livepatch", () => {
  const user = "extern int two(int); int use(int a) { return outside(a) + 1; }";
  const more = `${user.replace("+ 1", "+ two(a)")} noinline int two(int a) { return other(a); }`;
  const { refusals } = switched(linkUnit(LIMITS, LIMITS.replace("{ one", "{ two")), linkUnit(user, more));
  expect(refusals).toMatchObject([
    { code: "CONSTANT_IN_USE", what: expect.stringMatching(/^handler would point into/) },
  ]);
});
