import * as v from "valibot";
import type { ElfFile } from "../elf/model.ts";
import { SutureError } from "../lib/error.ts";
import { METADATA_SECTION, METADATA_VERSION, type PatchMetadata } from "./metadata.ts";

/** JSON of more bytes than this is not read: the largest livepatch needs a small part of it. */
const MAX_BYTES = 64 << 20;

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const hex = v.pipe(v.string(), v.regex(/^[0-9a-f]*$/));

const refusal = v.object({
  kind: v.literal("refusal"),
  code: v.string(),
  what: v.string(),
  where: v.string(),
  hint: v.string(),
});

const metadata = v.object({
  version: v.literal(METADATA_VERSION),
  name: v.string(),
  tool: v.string(),
  kernel: v.object({ release: v.string(), buildId: hex, vermagic: v.string() }),
  replace: v.boolean(),
  objects: v.array(
    v.object({
      name: v.string(),
      buildId: v.optional(hex),
      funcs: v.array(
        v.object({
          name: v.string(),
          sympos: count,
          source: v.string(),
          why: v.string(),
          size: v.object({ original: count, patched: count }),
        }),
      ),
      callbacks: v.array(v.string()),
    }),
  ),
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
  notes: v.array(v.object({ code: v.string(), text: v.string() })),
  leftOut: v.array(refusal),
});

/**
 * What a livepatch says of itself. Throws `NOT_A_LIVEPATCH` where the file has
 * no metadata of ours, `METADATA_UNREADABLE` where it is not what we write.
 */
export function readMetadata(file: ElfFile): PatchMetadata {
  const section = file.sections.find((each) => each.name === METADATA_SECTION);
  if (section === undefined) {
    throw new SutureError("NOT_A_LIVEPATCH", "the file holds no metadata of a livepatch that suture made", {
      where: `${file.name}: no section ${METADATA_SECTION}`,
      hint: "give a .ko that `suture build` wrote",
    });
  }
  const unreadable = (why: string, cause?: unknown): SutureError =>
    new SutureError("METADATA_UNREADABLE", `the livepatch's metadata cannot be read: ${why}`, {
      where: `${file.name}: section ${METADATA_SECTION}`,
      hint: "build the livepatch again with this version of suture",
      cause,
    });
  if (section.data.length > MAX_BYTES) throw unreadable(`${section.data.length} bytes, more than ${MAX_BYTES}`);
  let json: unknown;
  try {
    json = JSON.parse(section.data.toString("utf8"));
  } catch (error) {
    throw unreadable("it is not JSON", error);
  }
  const result = v.safeParse(metadata, json);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw unreadable(`${v.getDotPath(issue) ?? "it"}: ${issue.message}`);
}
