/** What is remembered in a process of its livepatches, read and written from outside as another suture would have. */
import { crc32 } from "node:zlib";
import { readMappings } from "../../src/process/os/mappings.ts";
import { ProcessMemory } from "../../src/process/os/memory.ts";
import { CONTROL_SIZE, ControlLayout, parityOf } from "../../src/process/store/control-layout.ts";
import type { Json } from "../../src/process/store/json.ts";

const PREFIX = 16;

export function controlOf(pid: number): ControlLayout {
  const control = readMappings(pid).find(({ start, end }) => end - start === CONTROL_SIZE);
  if (control === undefined) throw new Error(`nothing is loaded in process ${pid}`);
  return new ControlLayout(control.start);
}

/** The record that is in force. */
export function remembered(pid: number): Json {
  const layout = controlOf(pid);
  using memory = new ProcessMemory(pid);
  const generation = memory.read(layout.generation, 1)[0] as number;
  const slot = layout.slot(parityOf(generation));
  const length = memory.read(slot, 4).readUInt32LE(0);
  return JSON.parse(memory.read(slot + PREFIX, length).toString()) as Json;
}

/** A slot's bytes. */
export function slotOf(json: Buffer, number: number, checksum = crc32(json)): Buffer {
  const slot = Buffer.alloc(PREFIX + json.length);
  slot.writeUInt32LE(json.length, 0);
  slot.writeUInt32LE(checksum, 4);
  slot.writeDoubleLE(number, 8);
  json.copy(slot, PREFIX);
  return slot;
}

/** Puts a record into the slot that its number says; it is in force where that is the number of the one that was. */
export function remember(pid: number, record: Json): void {
  const { number } = record as { readonly number: number };
  const layout = controlOf(pid);
  using memory = new ProcessMemory(pid);
  memory.write(layout.slot(parityOf(number)), slotOf(Buffer.from(JSON.stringify(record)), number));
}
