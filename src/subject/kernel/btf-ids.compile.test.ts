/** Sets of BTF ids, from objects as the kernel's macros make them. */
import { describe, expect, test } from "vitest";
import { encodeBtf } from "../../../test/fixtures/btf-encoder.ts";
import { readBtf } from "../../btf/read.ts";
import type { BtfType, TypeId } from "../../btf/types.ts";
import { BTF_IDS } from "../../diff/btf-ids.ts";
import { compared, comparedElf, compiledElf } from "../../diff/compiled.fixture.ts";
import { changesBtfIds, withBtfIds } from "./btf-ids.ts";

// Ids from 1 on: a function is not a struct of the same name, and the first of two is meant.
const types: readonly BtfType[] = [
  { kind: "struct", name: "second", size: 0, members: [] },
  { kind: "prototype", name: "", result: 0 as TypeId, parameters: [] },
  ...["third", "second", "first", "second"].map(
    (name) => ({ kind: "function", name, prototype: 2 as TypeId }) as const,
  ),
];
const btf = readBtf(encodeBtf(types, { endian: "little" }), "vmlinux");

const item = (text: string) => `asm(".pushsection .BTF_ids,\\"a\\"\\n${text}\\n.popsection");`;
let count = 0;
const id = (name: string, more = "") => {
  const symbol = `__BTF_ID__${name}__${count++}`;
  return item(`.local ${symbol}\\n.type ${symbol}, STT_OBJECT\\n.size ${symbol}, 4\\n${symbol}:\\n.zero 4\\n${more}`);
};
const list = (name: string, ...ids: readonly string[]) =>
  [item(`.local ${name}\\n${name}:`), ...ids, `extern unsigned int ${name}[];`].join("\n");
const set = (name: string, kind: string, header: string, ids: readonly string[]) =>
  [
    item(`.local ${name}\\n${name}:\\n.local __BTF_ID__${kind}__${name}\\n__BTF_ID__${kind}__${name}:\\n${header}`),
    ...ids,
    item(`.size __BTF_ID__${kind}__${name}, .-${name}`),
    `extern unsigned int ${name}[];`,
  ].join("\n");
const plainSet = (name: string, ...ids: readonly string[]) => set(name, "set", ".zero 4", ids);

const READER = "extern int contains(void *, int); int reader(int a) { return contains(allowed, a) + 1; }";
const AROUND = [list("before", id("struct__second")), list("behind", id("struct__second"))] as const;
const source = (...ids: readonly string[]) => [AROUND[0], plainSet("allowed", ...ids), AROUND[1], READER].join("\n");
const whole = source(id("func__second"), id("func__third"), id("func__first"));
const shorter = source(id("func__second"), id("func__first"));

function idsOf(text: string): number[] {
  const filled = withBtfIds(compiledElf(text), btf);
  const { data } = filled.sections.find(({ name }) => name === BTF_IDS) ?? { data: Buffer.alloc(0) };
  return Array.from({ length: data.length / 4 }, (_, i) => data.readUInt32LE(4 * i));
}

describe("the ids of a unit", () => {
  test("are those of vmlinux: a set is sorted and counted, a list as it was written", () => {
    expect(idsOf(whole)).toEqual([1, 3, 3, 4, 5, 1]);
  });

  test("keep their flags in a set that has some", () => {
    const ids = [id("func__second", ".long 7"), id("func__third", ".long 9")];
    expect(idsOf(set("flagged", "set8", ".zero 8", ids))).toEqual([2, 0, 3, 9, 4, 7]);
  });

  test("are left out in a set that asks for a type which is not there", () => {
    expect(idsOf(plainSet("allowed", id("func__second"), id("func__absent")))).toEqual([0, 4, 0]);
  });

  test("are asked for only where a list is changed: numbers of lines and macros do not count", () => {
    const again = source(id("func__second"), id("func__third"), id("func__first"));
    expect(changesBtfIds(compiledElf(whole), compiledElf(again))).toBe(false);
    expect(changesBtfIds(compiledElf(whole), compiledElf(shorter))).toBe(true);
    expect(changesBtfIds(compiledElf("int no;"), compiledElf("int no;"))).toBe(false);
  });
});

describe("a changed set", () => {
  test("travels with who uses it, once it has its ids", () => {
    const result = comparedElf(withBtfIds(compiledElf(whole), btf), withBtfIds(compiledElf(shorter), btf));
    expect(result).toMatchObject({ funcs: ["reader"], pieces: ["allowed", "reader"], refusals: [], leftOut: [] });
    const { data } = result.piece("allowed").atom;
    expect([0, 4, 8].map((at) => data.readUInt32LE(at))).toEqual([2, 4, 5]);
  });

  test("is refused without: it would be empty", () => {
    expect(compared(whole, shorter)).toMatchObject({ funcs: [], refusals: ["LOAD_TIME_TABLE_CHANGED"] });
  });

  test("that nobody uses is no change", () => {
    const without = (text: string) => text.replace(READER, "");
    expect(compared(without(whole), without(shorter))).toMatchObject({ refusals: [], leftOut: ["READ_AT_LOAD_TIME"] });
  });
});

test("a changed list is refused even with its ids: where it ends only the code knows", () => {
  const reads = "int reader(int a) { return before[0] == a; }";
  const listed = (kind: string) => withBtfIds(compiledElf(list("before", id(kind)) + reads), btf);
  expect(comparedElf(listed("func__second"), listed("func__first"))).toMatchObject({
    funcs: [],
    refusals: ["LOAD_TIME_TABLE_CHANGED"],
  });
});
