import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import type { ElfFile } from "../elf/model.ts";
import { readElf } from "../elf/read.ts";
import { SutureError } from "../lib/error.ts";
import { METADATA_SECTION, type PatchMetadata } from "../patch/metadata.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import { moduleInfoOf, moduleName } from "./modinfo.ts";

/** What a rehearsal has to know of a livepatch before it is loaded. */
export interface LivepatchFile {
  readonly path: string;
  /** The module's name, which is the patch's name in sysfs. */
  readonly name: string;
  readonly vermagic: string;
  /** Objects that it patches other than vmlinux, as far as the file says. */
  readonly targets: readonly string[];
  /** GNU build-id of the vmlinux that it was made for; only where it carries metadata of ours. */
  readonly kernelBuildId: string | undefined;
}

/**
 * Reads any livepatch module. The objects are taken from our metadata, or else
 * from the names of livepatch sections and symbols, which a livepatch that
 * needs no livepatch relocation does not have.
 *
 * Throws `LIVEPATCH_UNREADABLE`, `NOT_A_LIVEPATCH`, and the errors of `readElf`.
 */
export async function readLivepatchFile(path: string): Promise<LivepatchFile> {
  const data = await readFile(path).catch((error: Error) => {
    throw new SutureError("LIVEPATCH_UNREADABLE", "cannot read the livepatch", {
      where: path,
      hint: error.message,
      cause: error,
    });
  });
  const elf = readElf(data, path);
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
    name: info.name ?? moduleName(basename(path).replace(/\.ko$/, "")),
    vermagic: info.vermagic,
    targets: [...new Set(objects.filter((name) => name !== "vmlinux").map(moduleName))],
    kernelBuildId: metadata?.kernel.buildId,
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

/** undefined where there is none, or it cannot be understood: then the names have to do. */
function metadataOf(elf: ElfFile): Pick<PatchMetadata, "objects" | "kernel"> | undefined {
  const section = elf.sections.find(({ name }) => name === METADATA_SECTION);
  if (section === undefined) return undefined;
  try {
    const value = JSON.parse(section.data.toString("utf8").replace(/\0+$/, "")) as PatchMetadata;
    const isWhole = Array.isArray(value.objects) && value.objects.every(({ name }) => typeof name === "string");
    return isWhole && typeof value.kernel.buildId === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}

function objectsOfNames(elf: ElfFile): string[] {
  const names = [...elf.sections, ...elf.symbols].map(({ name }) => name);
  return names.flatMap((name) => /^\.klp\.(?:rela|sym)\.([^.]+)\./.exec(name)?.[1] ?? []);
}
