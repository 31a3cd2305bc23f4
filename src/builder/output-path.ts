/** Where a livepatch is written. */
import { open, realpath, stat } from "node:fs/promises";
import { relative, resolve } from "node:path";
import { SutureError } from "../lib/error.ts";
import { METADATA_SECTION } from "../patch/metadata.ts";

/**
 * Throws `OUTPUT_IS_INPUT` where the livepatch would take the place of a file of the
 * source tree: of anything that is there and is no livepatch. Which of them the build
 * reads is not asked.
 *
 * @param output as it was given; undefined where the livepatch has a name of its own
 * @returns the path, absolute
 */
export async function outputPath(output: string | undefined, byDefault: string, tree: string): Promise<string> {
  const path = resolve(output ?? byDefault);
  const [target, root] = await Promise.all([path, tree].map((each) => realpath(each).catch(() => resolve(each))));
  const below = relative(root as string, target as string);
  const isInside = below !== "" && below !== ".." && !below.startsWith("../");
  if (!isInside || !(await isOtherFile(path))) return path;
  throw new SutureError("OUTPUT_IS_INPUT", "the file to write is one of those that are read", {
    where: `${path} is a file of the source, ${tree}`,
    hint: "name another file with --output",
  });
}

/** Whether something is there that is neither empty nor a livepatch. */
async function isOtherFile(path: string): Promise<boolean> {
  const { size } = (await stat(path).catch(() => undefined)) ?? { size: 0 };
  if (size === 0) return false;
  const file = await open(path);
  try {
    // Names of sections lie behind the sections.
    const tail = Buffer.alloc(Math.min(size, MOST_OF_THE_END));
    await file.read(tail, 0, tail.length, size - tail.length);
    return !tail.includes(METADATA_SECTION);
  } finally {
    await file.close();
  }
}

const MOST_OF_THE_END = 64 << 20;
