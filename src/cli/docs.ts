/** Writes docs/cli.md, docs/errors.md and docs/schemas: `npm run docs`. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { commands } from "./commands.ts";
import { errorsPage } from "./errors-page.ts";
import { jsonSchemas } from "./json-schemas.ts";
import { reference } from "./reference.ts";

for (const [page, text] of [
  ["cli.md", reference(commands)],
  ["errors.md", errorsPage()],
] as const)
  writeFileSync(new URL(`../../docs/${page}`, import.meta.url), text);

const schemas = new URL("../../docs/schemas/", import.meta.url);
rmSync(schemas, { recursive: true, force: true });
mkdirSync(schemas);
for (const [file, text] of jsonSchemas()) writeFileSync(new URL(file, schemas), text);
