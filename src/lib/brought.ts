import { fileURLToPath } from "node:url";

/**
 * Absolute path of what comes with suture beside its code: include/, web/. The
 * same from src/lib, from what is compiled of it, and from the bundle of a package.
 */
export function brought(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}
