import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");

/** The folders of src/, and what lies beside them. */
const PARTS = readdirSync(join(root, "src"), { withFileTypes: true }).map(({ name }) => name);

const DECLARATION =
  /^export (?:declare |default |async |abstract )*(?:function\*?|class|interface|type|const|let|enum) ([\w$]+)/;
/** Names of what a file itself has, given to others: `export { a }`, without `from`. */
const LIST = /^export (?:type )?\{[^}]*\}(?!\s*from)/m;

/** Names of what a text exports with no docstring right above it. Of the signatures of one function the first has it. */
function undocumented(text: string): string[] {
  const lines = text.split("\n");
  return lines.flatMap((line, index) => {
    const name = DECLARATION.exec(line)?.[1];
    if (name === undefined || endsDocstring(lines, index - 1)) return [];
    const isLaterSignature = line.includes("function") && DECLARATION.exec(lines[index - 1] ?? "")?.[1] === name;
    return isLaterSignature ? [] : [name];
  });
}

/** Whether the comment that ends in a line is one, and says something. */
function endsDocstring(lines: readonly string[], end: number): boolean {
  if (lines[end]?.endsWith("*/") !== true) return false;
  const start = lines.slice(0, end + 1).findLastIndex((line) => line.startsWith("/*"));
  const comment = lines.slice(start, end + 1).join("\n");
  return comment.startsWith("/**") && /\w/.test(comment);
}

function sources(part: string): string[] {
  const path = join("src", part);
  const names = statSync(join(root, path)).isDirectory()
    ? readdirSync(join(root, path), { recursive: true, encoding: "utf8" }).map((name) => join(path, name))
    : [path];
  return names.filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts") && !name.endsWith(".fixture.ts"));
}

test("the scan sees what has no docstring", () => {
  const text = [
    "/** The file. */",
    'import { a } from "./a.ts";',
    "export const bare = 1;",
    "/** Says something. */",
    "export async function told(): Promise<void> {}",
    "// No docstring.",
    "export interface Remark {}",
    "/* Nor this. */",
    "export type Plain = string;",
    "/** */",
    "export abstract class Empty {}",
    "/**",
    " * Says something.",
    " */",
    "export function twice(a: string): string;",
    "export function twice(a: number): number;",
    "/** Of another. */",
    "const own = 2;",
    "export enum Gap {}",
    'export { b } from "./b.ts";',
  ].join("\n");
  expect(undocumented(text)).toEqual(["bare", "Remark", "Plain", "Empty", "Gap"]);
  expect(LIST.test("const a = 1;\nexport { a };")).toBe(true);
  expect(LIST.test('export { b } from "./b.ts";')).toBe(false);
});

test.each(PARTS)("everything that src/%s exports has a docstring", (part) => {
  const files = sources(part);
  expect(files.length).toBeGreaterThan(0);
  const bare = files.flatMap((path) =>
    undocumented(readFileSync(join(root, path), "utf8")).map((name) => `${path}: ${name}`),
  );
  expect(bare).toEqual([]);
});

test("what is exported is exported where it is declared, so that it is seen above", () => {
  const lists = PARTS.flatMap(sources).filter((path) => LIST.test(readFileSync(join(root, path), "utf8")));
  expect(lists).toEqual([]);
});
