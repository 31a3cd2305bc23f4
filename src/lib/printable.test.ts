import fc from "fast-check";
import { expect, test } from "vitest";
import { printable, printableJson, printableLine } from "./printable.ts";

test.each([
  ["\u001b[31mred", "\\x1b[31mred"],
  ["a\u009b2Jb", "a\\x9b2Jb"],
  ["right\u202eleft", "right\\u{202e}left"],
  ["tab\tstays", "tab\tstays"],
])("%j is shown as %s", (text, shown) => {
  expect([printable(text), printableLine(text)]).toEqual([shown, shown]);
});

test("a name cannot make a second line", () => {
  expect(printable("a\nb")).toBe("a\nb");
  expect(printableLine("a\nb\rc\u2028d")).toBe("a\\x0ab\\x0dc\\u{2028}d");
});

test("JSON says the same, in characters that are safe to show", () => {
  fc.assert(
    fc.property(
      fc.jsonValue(),
      fc.constantFrom("\u007f", "\u009b", "\u202e", "\u2028", "\u{e0001}"),
      (value, unsafe) => {
        const text = printableJson(JSON.stringify({ value, unsafe: `x${unsafe}` }, undefined, 2));
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify({ value, unsafe: `x${unsafe}` })));
        expect(text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      },
    ),
  );
});
