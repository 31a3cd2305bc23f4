/** What is looked at where it may as well be missing, and what stands for it then. */
import { readdirSync, readFileSync, realpathSync } from "node:fs";

/** A file's text, a byte a character; empty where it cannot be read. */
export function textIfThere(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

/** Names in a directory; none where it cannot be read. */
export function namesIfThere(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** As the kernel follows a path; one that leads nowhere is what it was. */
export function realPathIfThere(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    return path;
  }
}

/** What a JSON text says; undefined where it is none. */
export function jsonIfAny(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
