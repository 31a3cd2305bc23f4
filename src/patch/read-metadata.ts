import * as v from "valibot";
import type { ElfFile } from "../elf/model.ts";
import { METADATA_VERSION, type PatchMetadata } from "./metadata.ts";
import {
  commonEntries,
  count,
  funcEntries,
  hex,
  isForProgram,
  metadataJson,
  metadataUnreadable,
  validated,
} from "./metadata-section.ts";

const fieldPlace = { at: count, size: v.picklist([4, 8]) };

const original = v.object({
  offset: v.optional(v.pipe(v.number(), v.integer())),
  code: v.pipe(v.string(), v.base64()),
  hook: v.optional(count),
  rewritten: v.array(v.tuple([count, count])),
  counted: v.optional(v.array(v.tuple([count, count]))),
  fields: v.array(
    v.union([
      v.object({ ...fieldPlace, moves: v.picklist(["with", "against"]) }),
      v.object({
        ...fieldPlace,
        isRelative: v.boolean(),
        section: v.optional(v.string()),
        symbol: v.optional(v.string()),
        addend: v.pipe(v.number(), v.integer()),
      }),
    ]),
  ),
});

/** Of a kernel's livepatch. */
export const kernelMetadataSchema = v.object({
  version: v.literal(METADATA_VERSION),
  ...commonEntries,
  kernel: v.object({ release: v.string(), buildId: hex, vermagic: v.string() }),
  objects: v.array(
    v.object({
      name: v.string(),
      buildId: v.optional(hex),
      funcs: v.array(v.object({ ...funcEntries, by: v.optional(v.literal("switch")), original: v.optional(original) })),
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
