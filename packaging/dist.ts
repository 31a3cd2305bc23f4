/** `npm run build`: the library of the published package, compiled, and its command, bundled from that. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../src/lib/run.ts";
import { bundle } from "./bundle.ts";

const ROOT = join(import.meta.dirname, "..");
const DIST = join(ROOT, "dist");

await rm(DIST, { recursive: true, force: true });
await run(join(ROOT, "node_modules/.bin/tsc"), ["-p", "tsconfig.build.json"], { cwd: ROOT, check: true });
await bundle(DIST, join(DIST, "command"));
