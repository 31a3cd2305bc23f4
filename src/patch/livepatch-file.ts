import { basename } from "node:path";
import type { ElfFile } from "../elf/model.ts";
import { SutureError } from "../lib/error.ts";
import { readGivenFile } from "../lib/read-file.ts";
import { readSealed } from "./digest.ts";
import type { PatchMetadata } from "./metadata.ts";
import { moduleInfoOf, moduleName } from "./modinfo.ts";
import { readMetadata } from "./read-metadata.ts";
import { type Refusal, refusal } from "./refusal.ts";

/** What has to be known of a livepatch before it is loaded. */
export interface LivepatchFile {
  readonly path: string;
  /** The whole file, as it was read and checked. */
  readonly data: Buffer;
  /** The module's name, which is the patch's name in sysfs. */
  readonly name: string;
  readonly vermagic: string;
  /** Its own number, by which it is older or newer than others of its name; 0 where it has none. */
  readonly patchVersion: number;
  /** Objects that it patches other than vmlinux, as far as the file says. */
  readonly targets: readonly string[];
  /** What it says of itself, where suture made it. */
  readonly metadata: PatchMetadata | undefined;
}

/** Whether a file is a livepatch module of a kernel; `elf` is what was read of it. */
export function isLivepatchModule(elf: ElfFile): boolean {
  return moduleInfoOf(elf).livepatch;
}

/**
 * Reads any livepatch module. The objects are taken from our metadata, or else
 * from the names of livepatch sections and symbols, which a livepatch that
 * needs no livepatch relocation does not have.
 *
 * Throws `LIVEPATCH_UNREADABLE`, `NOT_A_LIVEPATCH`, `METADATA_UNREADABLE`, `NEWER_FORMAT`, and what `readSealed` throws.
 */
export async function readLivepatchFile(path: string, signal?: AbortSignal): Promise<LivepatchFile> {
  return livepatchFileOf(
    await readGivenFile(path, { code: "LIVEPATCH_UNREADABLE", what: "the livepatch", signal }),
    path,
  );
}

/** The same of a file that was read. */
export function livepatchFileOf(data: Buffer, path: string): LivepatchFile {
  const elf = readSealed(data, path);
  const info = moduleInfoOf(elf);
  if (!info.livepatch || info.vermagic === undefined) {
    throw new SutureError("NOT_A_LIVEPATCH", "not a livepatch module of a Linux kernel", {
      where: path,
      hint: "its .modinfo section has to hold livepatch=Y and vermagic; make one with: suture build",
    });
  }
  const metadata = metadataOf(elf);
  const objects = metadata?.objects.map(({ name }) => name) ?? objectsOfNames(elf);
  return {
    path,
    data,
    name: info.name ?? moduleName(basename(path).replace(/\.ko$/, "")),
    vermagic: info.vermagic,
    patchVersion: metadata?.patchVersion ?? versionNumber(info.version),
    targets: [...new Set(objects.filter((name) => name !== "vmlinux").map(moduleName))],
    metadata,
  };
}

/** The refusal of a livepatch that was made for another kernel; undefined if it is for this one. */
export function madeForAnother(livepatch: LivepatchFile, release: string): Refusal | undefined {
  const wanted = livepatch.vermagic.split(" ")[0];
  if (wanted === release) return undefined;
  return refusal(
    "WRONG_KERNEL",
    `${livepatch.name} is a livepatch for Linux ${wanted}, not for ${release}`,
    `vermagic in ${livepatch.path}`,
    `rehearse it with the kernel ${wanted}, or build it again with: suture build --kernel ${release}`,
  );
}

/** What a module has for its version, `version=` or in sysfs, as a number; 0 where it is none. */
export function versionNumber(text: string | undefined): number {
  return /^[1-9][0-9]{0,8}$/.test(text ?? "") ? Number(text) : 0;
}

/** undefined where there is none, since another tool made the file: then the names have to do. */
function metadataOf(elf: ElfFile): PatchMetadata | undefined {
  try {
    return readMetadata(elf);
  } catch (error) {
    if (error instanceof SutureError && error.code === "NOT_A_LIVEPATCH") return undefined;
    throw error;
  }
}

function objectsOfNames(elf: ElfFile): string[] {
  const names = [...elf.sections, ...elf.symbols].map(({ name }) => name);
  return names.flatMap((name) => /^\.klp\.(?:rela|sym)\.([^.]+)\./.exec(name)?.[1] ?? []);
}
