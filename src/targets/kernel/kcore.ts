/** The running kernel's memory, as /proc/kcore shows it to root. */
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { CORE_HEADER, type CoreSegment, coreSegments, coreTable, fileOffset } from "../../elf/core-segments.ts";

/** Reads memory; addresses are unsigned. */
export class Kcore implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #segments: readonly CoreSegment[];

  private constructor(file: FileHandle, segments: readonly CoreSegment[]) {
    this.#file = file;
    this.#segments = segments;
  }

  /** @returns why it cannot be read, where that is so; `root` is the root of the file system */
  static async open(root: string): Promise<Kcore | string> {
    let file: FileHandle;
    try {
      file = await open(join(root, "proc/kcore"), "r");
    } catch (error) {
      return whyNot(error);
    }
    const segments = await segmentsOf(file).catch(whyNot);
    if (typeof segments !== "string") return new Kcore(file, segments);
    await file.close();
    return segments;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }

  /** undefined where the file does not have all of it. */
  async read(address: bigint, length: number): Promise<Buffer | undefined> {
    const offset = fileOffset(this.#segments, address, length);
    if (offset === undefined) return undefined;
    return await readAt(this.#file, offset, length).catch(() => undefined);
  }
}

async function segmentsOf(file: FileHandle): Promise<CoreSegment[] | string> {
  const header = await readAt(file, 0n, CORE_HEADER);
  const place = header && coreTable(header);
  const table = place && (await readAt(file, place.offset, place.size));
  return header === undefined || table === undefined ? "/proc/kcore is no core file" : coreSegments(header, table);
}

/** undefined where the file ends before. */
async function readAt(file: FileHandle, offset: bigint, length: number): Promise<Buffer | undefined> {
  const bytes = Buffer.alloc(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, length - done, offset + BigInt(done));
    if (bytesRead === 0) return undefined;
    done += bytesRead;
  }
  return bytes;
}

function whyNot(error: unknown): string {
  const { code = "" } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return "the kernel has no /proc/kcore";
  if (code === "EACCES") return "only root may read /proc/kcore";
  if (code === "EPERM") return "the kernel is locked down, and shows nobody its memory";
  return `/proc/kcore cannot be read: ${code}`;
}
