import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { commands } from "./commands.ts";
import { reference } from "./reference.ts";

test("docs/cli.md is what the table says: npm run docs", () => {
  expect(readFileSync(new URL("../../docs/cli.md", import.meta.url), "utf8")).toBe(reference(commands));
});
