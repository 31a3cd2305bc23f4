import { expect, test } from "vitest";
import { compiledElf } from "../diff/compiled.fixture.ts";
import { objectDiff } from "../diff/object-diff.ts";
import { withoutEffect } from "./without-effect.ts";

const KEPT = "int kept(int a) { return outside(a); }";
const START = `
  static __init __used int start(void) { return outside(1); }
  static int (*const call)(void) __used __section(".initcall6.init") = start;
`;

/** Code and sentence of what is said of two sources. */
function said(original: string, patched: string, exported: readonly string[] = []): string | undefined {
  const diff = objectDiff(compiledElf(original), compiledElf(patched), {}, { isModule: false, needsHook: true });
  const why = withoutEffect([diff], diff.leftOut, "kernel", exported);
  return why === undefined ? undefined : `${why.code}: ${why.what}`;
}

test("nothing is said where nothing differs", () => {
  expect(said(KEPT, KEPT)).toBeUndefined();
});

test("what would have run at the start is the reason where it is all", () => {
  expect(said(KEPT, KEPT + START)).toMatch(/^INIT_ALREADY_RAN: start is new, and would have run/);
  expect(said(KEPT + START, KEPT)).toMatch(/^INIT_ALREADY_RAN: the initcall of start is gone, and has run/);
});

test("each thing is named where there is more", () => {
  const more = "int unused(int a) { return other(a); }";
  expect(said(KEPT, KEPT + START + more)).toMatch(/^NOTHING_TO_PATCH: .*start is new.*; unused is new, and nothing/);
  expect(said(KEPT, KEPT + START, ["kept is exported"])).toMatch(/^NOTHING_TO_PATCH: .*start is new.*; kept is exp/);
});

test("a function that moves to another file and is the same is told of as that", () => {
  const moves = "int moves(int a) { return outside(a) * 3; }";
  const options = { isModule: false, needsHook: true };
  const from = objectDiff(compiledElf(KEPT + moves), compiledElf(KEPT), {}, options);
  const moved = new Map(from.original.atoms.filter(({ name }) => name === "moves").map((atom) => [atom.name, atom]));
  const other = "int other_one(int a) { return other(a); }";
  const to = objectDiff(compiledElf(other), compiledElf(other + moves), {}, { ...options, moved });
  expect(withoutEffect([from, to], [], "kernel")?.what).toMatch(/: moves is moved to \S+, and is the same there$/);
  expect(withoutEffect([from], [], "kernel")?.what).toMatch(/: moves is gone, and what runs goes on with it$/);
});
