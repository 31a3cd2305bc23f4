/** Writes docs/cli.md: `npm run docs`. */
import { writeFileSync } from "node:fs";
import { commands } from "./commands.ts";
import { reference } from "./reference.ts";

writeFileSync(new URL("../../docs/cli.md", import.meta.url), reference(commands));
