import type { NeedRecord, Note, StayRecord } from "../patch/metadata.ts";
import type { Refusal } from "../patch/refusal.ts";

/** What a linker made, or why it could not; parts of the livepatch's metadata among it. */
export interface LinkOutcome<ObjectRecord> {
  readonly refusals: readonly Refusal[];
  readonly notes: readonly Note[];
  readonly objects: readonly ObjectRecord[];
  readonly newFunctions: readonly string[];
  readonly needs: readonly NeedRecord[];
  readonly stays: readonly StayRecord[];
  /** The livepatch with its metadata, as JSON, in it. Only to be called where there are no refusals. */
  write(metadata: Buffer): Buffer;
}
