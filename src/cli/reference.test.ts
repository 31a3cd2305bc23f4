import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ERRORS, isRefusalCode, REFUSALS } from "../lib/codes.ts";
import { commands } from "./commands.ts";
import { documents } from "./documents.ts";
import { errorsPage } from "./errors-page.ts";
import { jsonSchemas } from "./json-schemas.ts";
import { reference } from "./reference.ts";

const page = (name: string): string => readFileSync(new URL(`../../docs/${name}`, import.meta.url), "utf8");

test("docs/cli.md is what the commands say of themselves", () => {
  expect(page("cli.md")).toBe(reference(commands));
});

test("docs/errors.md is what the codes say of themselves", () => {
  expect(page("errors.md")).toBe(errorsPage());
});

test("docs/schemas is what the commands may print, a schema for each", () => {
  const made = jsonSchemas();
  expect(readdirSync(new URL("../../docs/schemas/", import.meta.url)).sort()).toEqual(
    made.map(([file]) => file).sort(),
  );
  for (const [file, text] of made) expect(page(`schemas/${file}`)).toBe(text);
  expect(Object.keys(documents).sort()).toEqual([...commands.map(({ name }) => name), "error"].sort());
});

test.each(Object.entries(REFUSALS))(
  "docs/%s says of each refusal when it comes, and of none that there is not",
  (name, codes) => {
    const said = page(name);
    expect(codes.filter((code) => !new RegExp(`\\b${code}\\b`).test(said))).toEqual([]);
    const rows = said.split("\n").filter((line) => /^\| [A-Z]+_/.test(line));
    const named = rows.flatMap((row) => row.split("|")[1]?.match(/\b[A-Z]+_[A-Z_]+\b/g) ?? []);
    expect(named.filter((code) => !isRefusalCode(code) && !(code in ERRORS))).toEqual([]);
  },
);

test("no code is an error's and a refusal's", () => {
  expect(Object.keys(ERRORS).filter(isRefusalCode)).toEqual([]);
});
