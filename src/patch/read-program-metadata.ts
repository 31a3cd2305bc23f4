import * as v from "valibot";
import type { ElfFile } from "../elf/model.ts";
import { METADATA_VERSION } from "./metadata.ts";
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
import { CALLBACK_NAMES, type ProgramMetadata } from "./program-metadata.ts";

/** User space ends here; so do addresses in an object. */
const ADDRESS_END = 2 ** 47;

const address = v.pipe(count, v.maxValue(ADDRESS_END));
const range = v.pipe(
  v.tuple([address, address]),
  v.check(([start, end]) => start < end, "a range that ends before it starts"),
);
/** Names that become parts of section names, of lines on a terminal and of keys. */
const name = v.pipe(v.string(), v.regex(/^[^\s/\p{Cc}]{1,255}$/u, "no name"));

const func = v.pipe(
  v.object({
    ...funcEntries,
    name,
    address,
    ranges: v.pipe(v.array(range), v.minLength(1), v.maxLength(64)),
    padding: v.optional(v.pipe(count, v.maxValue(16))),
    symbol: v.string(),
  }),
  v.check(
    ({ address: entry, ranges }) => ranges.some(([start, end]) => start <= entry && entry < end),
    "an entry outside of its function",
  ),
);

const callbacks = v.strictObject({
  ...(Object.fromEntries(CALLBACK_NAMES.map((each) => [each, v.optional(v.string())])) as Record<
    (typeof CALLBACK_NAMES)[number],
    v.OptionalSchema<v.StringSchema<undefined>, undefined>
  >),
});

/** Of a program's livepatch. */
export const programMetadataSchema = v.object({
  version: v.literal(METADATA_VERSION),
  kind: v.literal("program"),
  ...commonEntries,
  name,
  program: v.object({ package: v.optional(v.string()), version: v.optional(v.string()), compiler: v.string() }),
  objects: v.pipe(
    v.array(
      v.object({
        name,
        buildId: v.pipe(hex, v.minLength(8), v.maxLength(128)),
        path: v.string(),
        sections: v.array(v.string()),
        funcs: v.array(func),
        relies: v.optional(v.array(v.object({ source: v.string(), name: v.string() }))),
        callbacks,
      }),
    ),
    v.minLength(1),
    v.check((all) => new Set(all.map((each) => each.name)).size === all.length, "two objects of one name"),
  ),
  states: v.array(v.object({ id: v.pipe(count, v.minValue(1)), version: count })),
});

/**
 * What a program's livepatch says of itself. Throws `NOT_A_LIVEPATCH` where
 * the file has no metadata of ours, `METADATA_UNREADABLE` where it is not what
 * we write or is for a kernel.
 */
export function readProgramMetadata(file: ElfFile): ProgramMetadata {
  const json = metadataJson(file);
  if (!isForProgram(json)) throw metadataUnreadable(file, "it is a livepatch for a kernel, not for a program");
  return validated(programMetadataSchema, json, file);
}
