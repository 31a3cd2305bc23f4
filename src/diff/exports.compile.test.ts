import { expect, test } from "vitest";
import { compared } from "./compiled.fixture.ts";

/** As EXPORT_SYMBOL and its kin make it, before Linux 6.5. */
const exported = (kind: "" | "_gpl", namespace: string): string => `
  int shown(int a) { return a; }
  asm(".section __ksymtab_strings,\\"aMS\\",@progbits,1\\n__kstrtabns_shown: .asciz \\"${namespace}\\"\\n.previous");
  static void *record __attribute__((used, section("___ksymtab${kind}+shown"))) = shown;`;
const UNEXPORTED = "int shown(int a) { return a; }";

const notes = (original: string, patched: string): string[] =>
  compared(original, patched).diff.notes.map(({ code, text }) => `${code}: ${text}`);

test.each([
  [UNEXPORTED, exported("", ""), /^NEW_EXPORT: shown is newly exported/],
  [exported("", ""), UNEXPORTED, /^EXPORT_CHANGED: shown stays exported to all modules: /],
  [
    exported("", ""),
    exported("_gpl", ""),
    /^EXPORT_CHANGED: shown stays exported to all modules, and not to modules under the GPL: /,
  ],
  [exported("_gpl", "A"), exported("_gpl", "B"), /under the GPL, in the namespace A, and not .* in the namespace B: /],
])("an export that comes, goes or has other terms is told", (original, patched, said) => {
  expect(notes(original, patched)).toEqual([expect.stringMatching(said)]);
});

test("one that stays is not", () => {
  expect(notes(exported("_gpl", "A"), exported("_gpl", "A"))).toEqual([]);
});

test("a function that is sealed no more, since it is exported, is the same", () => {
  const sealed = `${UNEXPORTED}\nasm(".pushsection .ibt_endbr_seal, \\"a\\"\\n.long shown - .\\n.popsection");`;
  const { refusals, funcs } = compared(sealed, exported("", ""));
  expect({ refusals, funcs }).toEqual({ refusals: [], funcs: [] });
  expect(compared(sealed, exported("", "").replace("return a", "return a + 1"))).toMatchObject({
    refusals: [],
    funcs: ["shown"],
  });
});
