import { expect, test } from "vitest";
import { elementsOf } from "./elements.ts";

const of = (text: string) => elementsOf(Buffer.from(text, "latin1"));
const short = (text: string) => of(text)?.map(({ kind, context, text: own }) => [kind, context, own]);

test("each has the conditions that it is under", () => {
  expect(short("#ifdef A\n#define X 1\n#else\nint f(void);\n#endif\nint g;\n")).toEqual([
    ["macro", "#ifdef A", "#define X 1"],
    ["code", "#ifdef A #else", "int f(void);"],
    ["code", "", "int g;"],
  ]);
});

test("two conditions that are written alike are told apart by their numbers", () => {
  const [first, second] = of("#ifdef A\nint f;\n#endif\n#ifdef A\nint g;\n#endif\n") ?? [];
  expect(first?.context).toBe(second?.context);
  expect(first?.within).not.toEqual(second?.within);
});

test("conditions between whole members are taken out of a declaration, and macros within it are their own", () => {
  const found = of("enum e {\n A,\n#define A A\n#ifdef C\n B,\n#endif\n};\n");
  expect(found).toMatchObject([
    { kind: "code", code: "enum e { A , B , } ;" },
    { kind: "macro", name: "A", context: "" },
  ]);
});

test("conditions that divide a declaration elsewhere leave it without code", () => {
  for (const text of [
    "int f(void)\n#ifdef A\n__attribute__((__pure__))\n#endif\n;\n",
    "struct s {\n int\n#ifdef A\n a;\n#else\n b;\n#endif\n};\n",
    "static int a\n#ifdef A\n, b\n#endif\n;\n",
    'struct s {\n#include "members.h"\n};\n',
  ])
    expect(of(text)?.filter(({ kind }) => kind === "code")).toMatchObject([{ code: undefined }]);
});

test("what is not understood is said", () => {
  for (const text of [
    "#ifdef A\nint f(\n#else\nint g(\n#endif\nvoid);\n",
    "}\n",
    "#ifdef A\nint a;\n",
    'extern "C" {\nint a;\n}\n',
    "int a",
  ])
    expect(of(text)).toBeUndefined();
});
