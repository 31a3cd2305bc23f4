import { readFileSync } from "node:fs";
import { SutureError } from "../lib/error.ts";

/** The bytes of a file that the user named; `-` is standard input. Throws `FILE_UNREADABLE`. */
export function readInput(path: string): Buffer {
  try {
    return readFileSync(path === "-" ? process.stdin.fd : path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === undefined ? (error as Error).message : (REASONS[code] ?? code);
    throw new SutureError("FILE_UNREADABLE", `cannot read a file: ${why}`, { where: path, cause: error });
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EISDIR: "it is a directory",
  ENOENT: "there is no such file",
};
