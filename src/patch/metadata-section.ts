/** The section of a livepatch that says what it is, before it is known of which kind. */
import * as v from "valibot";
import type { ElfFile } from "../elf/model.ts";
import { SutureError } from "../lib/error.ts";
import { checkFormat } from "../lib/format.ts";
import { MAX_PATCH_VERSION, METADATA_SECTION, METADATA_VERSION } from "./metadata.ts";

/** JSON of more bytes than this is not read: the largest livepatch needs a small part of it. */
const MAX_BYTES = 64 << 20;

/** A whole number that is not negative: bytes, positions, how many of something. */
export const count = v.pipe(v.number(), v.integer(), v.minValue(0));
/** Lower-case hexadecimal, of any length: build-ids and digests. */
export const hex = v.pipe(v.string(), v.regex(/^[0-9a-f]*$/));

const pieceEntries = { source: v.string(), section: v.string(), name: v.string() };
const pieces = v.array(v.object(pieceEntries));

/** Something done beyond replacing functions. */
export const noteSchema = v.object({ code: v.string(), text: v.string(), pieces: v.optional(pieces) });

/** A part of the diff that was left out. */
export const leftOutSchema = v.object({
  kind: v.literal("refusal"),
  code: v.string(),
  what: v.string(),
  where: v.string(),
  hint: v.string(),
  pieces: v.optional(pieces, []),
});

const fate = v.object({
  ...pieceEntries,
  fate: v.picklist(["replaced", "travels", "overwritten", "without-effect"]),
  by: v.optional(v.picklist(["ftrace", "switch", "jump"])),
  why: v.string(),
});

/** What the metadata of every kind of livepatch has. */
export const commonEntries = {
  name: v.string(),
  tool: v.string(),
  patchVersion: v.optional(v.pipe(count, v.minValue(1), v.maxValue(MAX_PATCH_VERSION))),
  replace: v.boolean(),
  newFunctions: v.array(v.string()),
  needs: v.array(
    v.object({ name: v.string(), object: v.string(), by: v.picklist(["exported", "livepatch"]), sympos: count }),
  ),
  proofs: v.array(
    v.object({
      source: v.string(),
      object: v.string(),
      proved: count,
      absent: v.array(v.string()),
      differing: v.array(v.object({ name: v.string(), reason: v.string() })),
    }),
  ),
  notes: v.array(noteSchema),
  leftOut: v.array(leftOutSchema),
  fates: v.optional(v.array(fate), []),
  stays: v.array(v.object({ source: v.string(), function: v.string(), what: v.string(), how: v.string() })),
  diffs: v.optional(v.array(v.string())),
};

/** What the metadata of every kind of livepatch says of a patched function (`FuncRecord`). */
export const funcEntries = {
  name: v.string(),
  sympos: count,
  source: v.string(),
  why: v.string(),
  size: v.object({ original: count, patched: count }),
  newName: v.optional(v.string()),
};

/**
 * Throws `NOT_A_LIVEPATCH` where the file has no metadata of ours, `METADATA_UNREADABLE` where it is no JSON,
 * and `NEWER_FORMAT` where a newer suture wrote it in a format that is not known.
 */
export function metadataJson(file: ElfFile): unknown {
  const section = file.sections.find((each) => each.name === METADATA_SECTION);
  if (section === undefined) {
    throw new SutureError("NOT_A_LIVEPATCH", "the file holds no metadata of a livepatch that suture made", {
      where: `${file.name}: no section ${METADATA_SECTION}`,
      hint: "give a livepatch that `suture build` wrote",
    });
  }
  if (section.data.length > MAX_BYTES)
    throw metadataUnreadable(file, `${section.data.length} bytes, more than ${MAX_BYTES}`);
  const json = parsed(file, section.data);
  const where = `${file.name}: section ${METADATA_SECTION}`;
  checkFormat(json, METADATA_VERSION, "what the livepatch says of itself", where);
  return json;
}

function parsed(file: ElfFile, data: Buffer): unknown {
  try {
    return JSON.parse(data.toString("utf8"));
  } catch (error) {
    throw metadataUnreadable(file, "it is not JSON", error);
  }
}

/** What a livepatch is for, by its metadata; what says nothing of it is for a kernel. */
export function isForProgram(json: unknown): boolean {
  return typeof json === "object" && json !== null && "kind" in json && json.kind === "program";
}

/** Throws `METADATA_UNREADABLE`, naming the first thing that is not as we write it. */
export function validated<Schema extends v.GenericSchema>(
  schema: Schema,
  json: unknown,
  file: ElfFile,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, json);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw metadataUnreadable(file, `${v.getDotPath(issue) ?? "it"}: ${issue.message}`);
}

/** `METADATA_UNREADABLE`; `why` goes on after a colon. */
export function metadataUnreadable(file: ElfFile, why: string, cause?: unknown): SutureError {
  return new SutureError("METADATA_UNREADABLE", `the livepatch's metadata cannot be read: ${why}`, {
    where: `${file.name}: section ${METADATA_SECTION}`,
    hint: "build the livepatch again with this version of suture",
    cause,
  });
}
