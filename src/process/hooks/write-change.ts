/**
 * The writes of a change, in an order in which the program can be killed after
 * any of them: what the process does is either all of the old or all of the new.
 *
 * Entries first go to switching stubs, which still do what was; the write of the
 * generation switches them all; then each gets its final form. A change of one
 * entry is one write of five bytes on one page.
 */

import { type ControlLayout, parityOf } from "../store/control-layout.ts";
import { encodeRecord } from "../store/control-record.ts";
import type { ProcessMemory } from "../store/memory.ts";
import type { ControlRecord } from "../store/record-schema.ts";
import type { ChangePlan } from "./change-plan.ts";

/** All tasks have to stand still, none of them in bytes that are overwritten. */
export function writeChange(plan: ChangePlan, layout: ControlLayout, memory: ProcessMemory): void {
  for (const { address, bytes } of plan.stubs) memory.write(address, bytes);
  if (plan.table !== undefined) memory.write(plan.table.address, plan.table.image.bytes);
  writeSlot(plan.record, layout, memory);
  const isAlone = plan.record.alone !== undefined;
  for (const { at, through, final } of plan.entries) memory.write(at, through ?? final);
  writeGeneration(plan.record.number, layout, memory);
  if (!isAlone) for (const { at, final } of plan.entries) memory.write(at, final);
}

/** Puts a record in force that changes no hook. */
export function writeRecord(record: ControlRecord, layout: ControlLayout, memory: ProcessMemory): void {
  writeSlot(record, layout, memory);
  writeGeneration(record.number, layout, memory);
}

function writeSlot(record: ControlRecord, layout: ControlLayout, memory: ProcessMemory): void {
  memory.write(layout.slot(parityOf(record.number)), encodeRecord(record));
}

/** The one write of a byte by which a change of several entries comes into force. */
export function writeGeneration(number: number, layout: ControlLayout, memory: ProcessMemory): void {
  memory.write(layout.generation, Buffer.from([number & 0xff]));
}
