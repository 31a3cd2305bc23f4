/** Writes docs/cli.md and docs/errors.md: `npm run docs`. */
import { writeFileSync } from "node:fs";
import { commands } from "./commands.ts";
import { errorsPage } from "./errors-page.ts";
import { reference } from "./reference.ts";

for (const [page, text] of [
  ["cli.md", reference(commands)],
  ["errors.md", errorsPage()],
] as const)
  writeFileSync(new URL(`../../docs/${page}`, import.meta.url), text);
