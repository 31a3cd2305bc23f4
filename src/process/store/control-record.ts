/** How what a control mapping remembers lies in a slot: length, checksum, number, then JSON; on every machine in the same byte order. */
import { crc32 } from "node:zlib";
import * as v from "valibot";
import { LITTLE } from "../../elf/words.ts";
import { SutureError } from "../../lib/error.ts";
import { jsonIfAny } from "../../lib/if-there.ts";
import { type Parity, SLOT_SIZE } from "./control-layout.ts";
import { isConsistent } from "./record-consistency.ts";
import { type ControlRecord, recordSchema } from "./record-schema.ts";

const PREFIX = 16;

/** Throws `RECORD_TOO_LARGE` where it does not fit into a slot. */
export function encodeRecord(value: ControlRecord): Buffer {
  const json = Buffer.from(JSON.stringify(value));
  if (json.length > SLOT_SIZE - PREFIX)
    throw new SutureError("RECORD_TOO_LARGE", `what is loaded takes ${json.length} bytes to remember`, {
      hint: "unload patches, or load one that replaces them",
    });
  const prefix = Buffer.alloc(PREFIX);
  LITTLE.setU32(prefix, 0, json.length);
  LITTLE.setU32(prefix, 4, crc32(json));
  LITTLE.setDouble(prefix, 8, value.number);
  return Buffer.concat([prefix, json]);
}

/** What a slot holds, whoever wrote it. */
export interface Slot {
  /** Of the record; its low byte is the generation with which it is in force. */
  readonly number: number;
  readonly json: unknown;
}

/** Reads a slot; undefined where nothing is in it, what was never finished, or a record with another number than is wanted. */
export function readSlot(
  read: (offset: number, size: number) => Buffer,
  isWanted: (number: number) => boolean = () => true,
): Slot | undefined {
  const prefix = read(0, PREFIX);
  const length = LITTLE.u32(prefix, 0);
  const number = LITTLE.double(prefix, 8);
  if (length === 0 || length > SLOT_SIZE - PREFIX || !isWanted(number)) return undefined;
  const json = read(PREFIX, length);
  if (crc32(json) !== LITTLE.u32(prefix, 4)) return undefined;
  return { number, json: jsonIfAny(json.toString()) };
}

/** The record in a slot; undefined where it is none of ours. */
export function recordIn({ number, json }: Slot): ControlRecord | undefined {
  const parsed = v.safeParse(recordSchema, json, { abortEarly: true });
  if (!parsed.success || parsed.output.number !== number || !isConsistent(parsed.output)) return undefined;
  return parsed.output as ControlRecord;
}

/** The one that is not in use, and may be written. */
export function otherTable(table: Parity): Parity {
  return table === 0 ? 1 : 0;
}
