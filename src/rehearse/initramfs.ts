/**
 * Writes an initramfs: a cpio archive in the "newc" format, uncompressed, as
 * the kernel's Documentation/driver-api/early-userspace/buffer-format has it.
 */
import { type FileHandle, open, stat } from "node:fs/promises";
import { posix } from "node:path";
import { namingFullDisk } from "../lib/disk-full.ts";
import { SutureError } from "../lib/error.ts";
import { readGivenFile } from "../lib/read-file.ts";

/** A file of the guest. `path` is absolute; directories above it are made. */
export type GuestFile =
  | { readonly kind: "data"; readonly path: string; readonly data: string | Buffer; readonly mode?: number }
  /** A file of the host, with its permissions unless `mode` is given. */
  | { readonly kind: "copy"; readonly path: string; readonly from: string; readonly mode?: number }
  | { readonly kind: "symlink"; readonly path: string; readonly target: string }
  | { readonly kind: "directory"; readonly path: string };

const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;
const MAX_FILE_BYTES = 0xffff_ffff;

/**
 * Writes the archive to `file` and returns its size in bytes. Where a path is
 * given twice, the last one counts. Equal input gives equal bytes.
 *
 * Throws `GUEST_FILE_UNREADABLE` for a file of the host, `GUEST_PATH` for a
 * path that no archive can hold, and `DISK_FULL`.
 */
export async function writeInitramfs(file: string, files: readonly GuestFile[]): Promise<number> {
  const output = await open(file, "w");
  try {
    const archive = new CpioWriter(output);
    for (const each of withParents(files)) await append(archive, each);
    return await archive.finish();
  } catch (error) {
    throw namingFullDisk(error, file);
  } finally {
    await output.close();
  }
}

/** Every file once, and each after the directories that hold it. */
function withParents(files: readonly GuestFile[]): GuestFile[] {
  const byPath = new Map<string, GuestFile>();
  for (const file of files) {
    const path = guestPath(file.path);
    for (const parent of parentsOf(path)) {
      const there = byPath.get(parent);
      if (there === undefined) byPath.set(parent, { kind: "directory", path: parent });
      else if (there.kind === "copy" || there.kind === "data") {
        throw new SutureError("GUEST_PATH", "a file of the guest cannot be in a file", {
          where: `${path} in ${parent}`,
        });
      }
    }
    byPath.set(path, { ...file, path });
  }
  return [...byPath.values()];
}

function guestPath(path: string): string {
  if (!path.startsWith("/") || path.includes("\0") || path.split("/").includes("..")) {
    throw new SutureError("GUEST_PATH", `not an absolute path for the guest: ${JSON.stringify(path)}`);
  }
  const normal = posix.normalize(path).replace(/\/$/, "");
  if (normal === "") throw new SutureError("GUEST_PATH", "the guest's root directory is no file");
  return normal;
}

function parentsOf(path: string): string[] {
  const parts = path.split("/").slice(1, -1);
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join("/")}`);
}

async function append(archive: CpioWriter, file: GuestFile): Promise<void> {
  switch (file.kind) {
    case "directory":
      return await archive.append(file.path, S_IFDIR | 0o755, Buffer.alloc(0));
    case "symlink":
      return await archive.append(file.path, S_IFLNK | 0o777, Buffer.from(file.target));
    case "data":
      return await archive.append(file.path, S_IFREG | (file.mode ?? 0o644), Buffer.from(file.data));
    case "copy": {
      const { data, mode } = await readHostFile(file.from);
      return await archive.append(file.path, S_IFREG | (file.mode ?? mode & 0o777), data);
    }
  }
}

async function readHostFile(path: string): Promise<{ data: Buffer; mode: number }> {
  try {
    const { mode } = await stat(path);
    return { data: await readGivenFile(path), mode };
  } catch (error) {
    throw new SutureError("GUEST_FILE_UNREADABLE", "a file to bring into the guest cannot be read", {
      where: path,
      hint: (error as Error).message,
      cause: error,
    });
  }
}

class CpioWriter {
  readonly #output: FileHandle;
  #bytes = 0;
  #inode = 1;

  constructor(output: FileHandle) {
    this.#output = output;
  }

  async append(path: string, mode: number, data: Buffer): Promise<void> {
    if (data.length > MAX_FILE_BYTES) {
      throw new SutureError("GUEST_PATH", "a file of 4 GiB or more does not fit into an initramfs", { where: path });
    }
    await this.#entry(path.slice(1), mode, data);
  }

  async finish(): Promise<number> {
    await this.#entry("TRAILER!!!", 0, Buffer.alloc(0));
    return this.#bytes;
  }

  async #entry(name: string, mode: number, data: Buffer): Promise<void> {
    const nameBytes = Buffer.from(`${name}\0`);
    const links = (mode & S_IFDIR) === S_IFDIR ? 2 : 1;
    // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
    const fields = [this.#inode++, mode, 0, 0, links, 0, data.length, 0, 0, 0, 0, nameBytes.length, 0];
    const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`);
    await this.#write(Buffer.concat([header, nameBytes, padding(header.length + nameBytes.length)]));
    if (data.length > 0) await this.#write(data);
    await this.#write(padding(data.length));
  }

  async #write(bytes: Buffer): Promise<void> {
    if (bytes.length > 0) await this.#output.writeFile(bytes);
    this.#bytes += bytes.length;
  }
}

function padding(length: number): Buffer {
  return Buffer.alloc((4 - (length % 4)) % 4);
}
