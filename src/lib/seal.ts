/**
 * What a directory of the cache was when it was whole, so that a later look can
 * tell what a power loss, a full disk or a hand has done to it since.
 */
import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * `contents`: a digest of each file's bytes, for a few files. `states`: size and
 * time of change, for trees of tens of thousands; the bytes are on the disk before.
 */
export type SealKind = "contents" | "states";

/**
 * A directory: a file for each directory of the sealed one, with what is in the
 * directories below, so that a part of it can be looked at alone, and one for all
 * else: the files of the two uppermost levels. In it are
 * `KIND COUNT` and a line `STATE<tab>PATH` for each file.
 */
const SEAL = "seal";
const BESIDE = ".beside";

/** Writes the seal of all that is below `directory`. */
export async function seal(directory: string, kind: SealKind): Promise<void> {
  const parts = new Map<string, string[]>([[BESIDE, []]]);
  for (const path of filesBelow(directory)) {
    const [top = "", , deeper] = path.split("/", 3);
    const part = deeper === undefined ? BESIDE : top;
    const paths = parts.get(part);
    if (paths === undefined) parts.set(part, [path]);
    else paths.push(path);
  }
  await mkdir(join(directory, SEAL));
  for (const [part, paths] of parts) {
    const lines = paths.map((path) => `${stateOf(join(directory, path), kind)}\t${JSON.stringify(path)}\n`);
    await writeFile(join(directory, SEAL, part), [`${kind} ${paths.length}\n`, ...lines].join(""));
  }
}

/**
 * The first file that is not as it was, or the seal itself; undefined where all
 * of it is whole, or was never sealed.
 *
 * @param without one of the directories in it, whose files are not looked at
 */
export async function damageBelow(directory: string, without?: string): Promise<string | undefined> {
  const sealed = join(directory, SEAL);
  const parts = await readdir(sealed).catch((error: NodeJS.ErrnoException) => {
    return error.code === "ENOENT" || error.code === "ENOTDIR" ? [] : [BESIDE];
  });
  if (parts.length > 0 && !parts.includes(BESIDE)) return join(sealed, BESIDE);
  for (const part of parts) {
    if (part === without) continue;
    const file = await damageOf(directory, join(sealed, part));
    if (file !== undefined) return file;
  }
  return undefined;
}

async function damageOf(directory: string, path: string): Promise<string | undefined> {
  const text = await readFile(path, "utf8").catch(() => "");
  const [head = "", ...lines] = text.split("\n");
  const [, kind, count] = /^(contents|states) (\d+)$/.exec(head) ?? [];
  if (kind === undefined || lines.pop() !== "" || lines.length !== Number(count)) return path;
  for (const line of lines) {
    const file = fileOf(line);
    if (file === undefined) return path;
    const at = join(directory, file.path);
    if (stateNow(at, kind as SealKind) !== file.state) return at;
  }
  return undefined;
}

/** SHA-256, 32 bytes; a string counts as UTF-8. */
export function digestOf(data: string | Uint8Array): Buffer {
  return createHash("sha256").update(data).digest();
}

function fileOf(line: string): { readonly state: string; readonly path: string } | undefined {
  const border = line.indexOf("\t");
  try {
    const path: unknown = JSON.parse(line.slice(border + 1));
    return border > 0 && typeof path === "string" ? { state: line.slice(0, border), path } : undefined;
  } catch {
    return undefined;
  }
}

function stateNow(path: string, kind: SealKind): string {
  try {
    return stateOf(path, kind);
  } catch {
    return "gone";
  }
}

function stateOf(path: string, kind: SealKind): string {
  const found = lstatSync(path, { bigint: true });
  if (found.isSymbolicLink()) return `-> ${JSON.stringify(readlinkSync(path))}`;
  if (kind === "states") return `${found.size} ${found.mtimeNs}`;
  return digestOf(readFileSync(path)).toString("hex");
}

/** Files and links, by path from the directory. */
function filesBelow(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort();
}
