/** A part of a fix, taken from a source that has the fix already. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../../src/lib/run.ts";
import { temporaryDirectory } from "../../../src/lib/temp.ts";

/** Lines of a file that are in it only since the fix. */
export interface Cut {
  readonly kind: "cut";
  /** What it is called. */
  readonly name: string;
  /** Below the unpacked source. */
  readonly file: string;
  readonly first: RegExp;
  /** The next line like this; it belongs to the cut too. */
  readonly last: RegExp;
}

/** @returns the diff that puts the lines into a source that does not have them */
export async function cutFrom(tree: string, { file, first, last }: Cut): Promise<string> {
  const path = join(tree, file);
  const lines = (await readFile(path, "utf8")).split("\n");
  const from = lines.findIndex((line) => first.test(line));
  const to = lines.findIndex((line, i) => i > from && last.test(line));
  if (from < 0 || to < 0) throw new Error(`${path} does not have what the fix put there: ${first}`);
  await using directory = await temporaryDirectory();
  const without = join(directory.path, "without");
  await writeFile(without, lines.toSpliced(from, to - from + 1).join("\n"));
  const labels = ["--label", `a/${file}`, "--label", `b/${file}`];
  return (await run("diff", ["-u", ...labels, without, path])).stdout;
}
