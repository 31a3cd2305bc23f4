import { join } from "node:path";
import type { HostPaths } from "../paths.ts";

/** The database of what is installed; there may be none. */
export function databasePath({ state }: Pick<HostPaths, "state">): string {
  return join(state, "suture.db");
}
