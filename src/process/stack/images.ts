import { closeSync } from "node:fs";
import type { Mapping } from "../os/mappings.ts";
import { livingDirectory, livingTask } from "../os/thread-list.ts";
import { type ImageFile, mappedImage, openImage } from "./image-bytes.ts";
import { framesOf } from "./image-frames.ts";
import { buildIdOf, type ImageBytes, type ImageLayout, readLayout } from "./image-layout.ts";
import { RowCache } from "./row-cache.ts";
import type { TargetMemory } from "./target-memory.ts";

/** An executable, a library or the vdso, for as long as somebody unwinds through it. */
export interface Image {
  readonly name: string;
  readonly layout: ImageLayout | undefined;
  /** undefined where it cannot be unwound, and then why. */
  readonly rows: RowCache | undefined;
  readonly why: string;
}

/** Images by the identity of their files: one for all processes that run them. */
export class ImageStore {
  readonly #images = new Map<string, Image>();
  #isWarm = false;

  /** Whether this is the first time that it is asked: what reads stacks has then to be compiled yet. */
  isCold(): boolean {
    const isCold = !this.#isWarm;
    this.#isWarm = true;
    return isCold;
  }

  /** How many images it has: it grows where it is asked for one that it has not. */
  get size(): number {
    return this.#images.size;
  }

  /** The image of a mapping that has a file or is the vdso. Never throws for what is wrong with it. */
  load(pid: number, mapping: Mapping, mappings: readonly Mapping[], memory: TargetMemory): Image {
    const file = openMapped(pid, mapping, mappings, memory);
    if (file === undefined) return imageOf(inMemory(mapping, mappings, memory), mapping.name);
    try {
      const known = this.#images.get(file.identity);
      if (known !== undefined) return known;
      const image = imageOf(file, mapping.name);
      this.#images.set(file.identity, image);
      return image;
    } finally {
      closeSync(file.fd);
    }
  }
}

function imageOf(bytes: ImageBytes | undefined, name: string): Image {
  const layout = bytes && readLayout(bytes);
  if (bytes === undefined || layout === undefined) {
    return { name, layout: undefined, rows: undefined, why: "it cannot be read as a program of this machine" };
  }
  const frames = framesOf(bytes, layout);
  return frames.kind === "none"
    ? { name, layout, rows: undefined, why: frames.why }
    : { name, layout, rows: new RowCache(frames.table), why: "" };
}

/** The very file that is mapped, if it can be had: what lies at its path may be another one by now. */
function openMapped(
  pid: number,
  mapping: Mapping,
  mappings: readonly Mapping[],
  memory: TargetMemory,
): ImageFile | undefined {
  if (mapping.inode === 0) return undefined;
  const range = `${mapping.start.toString(16)}-${mapping.end.toString(16)}`;
  // Needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE; it leads to deleted files and into other mount namespaces too.
  const exact = opened(`/proc/${livingTask(pid)}/map_files/${range}`, mapping.name);
  if (exact !== undefined) return exact;
  if (!mapping.name.startsWith("/")) return undefined;
  const file = opened(`${livingDirectory(pid)}/root${mapping.name}`, mapping.name);
  if (file === undefined) return undefined;
  if (isSame(file, mapping, inMemory(mapping, mappings, memory))) return file;
  closeSync(file.fd);
  return undefined;
}

function opened(path: string, name: string): ImageFile | undefined {
  try {
    return openImage(path, name);
  } catch {
    return undefined;
  }
}

/** By device and inode, and by build-id, since a file can be written over. */
function isSame(file: ImageFile, mapping: Mapping, mapped: ImageBytes | undefined): boolean {
  if (Number(file.inode) !== mapping.inode || deviceName(file.device) !== mapping.device) return false;
  const layouts = [readLayout(file), mapped && readLayout(mapped)] as const;
  if (mapped === undefined || layouts[0] === undefined || layouts[1] === undefined) return false;
  return buildIdOf(file, layouts[0]) === buildIdOf(mapped, layouts[1]);
}

/** As /proc/PID/maps writes it; the encoding of st_dev is that of glibc's makedev. */
function deviceName(device: bigint): string {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xffff_f000n);
  const minor = (device & 0xffn) | ((device >> 12n) & 0xffff_ff00n);
  const hex = (value: bigint): string => value.toString(16).padStart(2, "0");
  return `${hex(major)}:${hex(minor)}`;
}

/** The image of a mapping in the process's memory: it starts with the mapping of the file's beginning before it. */
function inMemory(mapping: Mapping, mappings: readonly Mapping[], memory: TargetMemory): ImageBytes | undefined {
  let first: Mapping | undefined;
  for (const each of mappings) {
    if (each.start > mapping.start) break;
    const same = each.inode === mapping.inode && each.device === mapping.device && each.name === mapping.name;
    if (same && each.offset === 0 && each.readable) first = each;
  }
  return first && mappedImage(memory, first.start, mapping.name);
}
