import * as v from "valibot";
import type { ElfFile } from "../elf/model.ts";
import { METADATA_VERSION, type PatchMetadata } from "./metadata.ts";
import {
  commonEntries,
  funcEntries,
  hex,
  isForProgram,
  metadataJson,
  metadataUnreadable,
  validated,
} from "./metadata-section.ts";

/** Of a kernel's livepatch. */
export const kernelMetadataSchema = v.object({
  version: v.literal(METADATA_VERSION),
  ...commonEntries,
  kernel: v.object({ release: v.string(), buildId: hex, vermagic: v.string() }),
  objects: v.array(
    v.object({
      name: v.string(),
      buildId: v.optional(hex),
      funcs: v.array(v.object({ ...funcEntries, by: v.optional(v.literal("switch")) })),
      callbacks: v.array(v.string()),
      values: v.optional(v.array(v.string())),
    }),
  ),
});

/**
 * What a kernel's livepatch says of itself. Throws `NOT_A_LIVEPATCH` where the
 * file has no metadata of ours, `METADATA_UNREADABLE` where it is not what we write.
 */
export function readMetadata(file: ElfFile): PatchMetadata {
  const json = metadataJson(file);
  if (isForProgram(json)) throw metadataUnreadable(file, "it is a livepatch for a program, not for a kernel");
  return validated(kernelMetadataSchema, json, file);
}
