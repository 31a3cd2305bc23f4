/**
 * Callbacks around a transition, as in Documentation/livepatch/callbacks: only
 * pre_patch can refuse. The record says which have returned, so that a command
 * that goes on after a killed one runs none of those again.
 */
import { SutureError } from "../lib/error.ts";
import type { CoreRecord } from "./record.ts";
import type { Registry } from "./registry.ts";
import { callbacksOf, firstCallback, lastCallback } from "./steps.ts";

/** Those before the first hook changes. Why the patch is refused, or undefined. */
export async function callFirst(registry: Registry, notes: string[]): Promise<string | undefined> {
  const { transition } = registry.record;
  if (transition === undefined) return undefined;
  const name = firstCallback(transition);
  for (const { object, entry } of callbacksOf(registry.record, name)) {
    if (transition.called.includes(object)) continue;
    const problem = await call(registry, entry, name === "pre_patch");
    if (problem !== undefined && name === "pre_patch") return `${name} of ${object} ${problem}`;
    if (problem !== undefined) notes.push(`${name} of ${object} ${problem}`);
    registry.save(withCalled(registry.record, object));
  }
  return undefined;
}

/** Those after all tasks have arrived. */
export async function callLast(registry: Registry, notes: string[]): Promise<void> {
  const { transition } = registry.record;
  if (transition === undefined) return;
  const name = lastCallback(transition);
  for (const { object, entry } of callbacksOf(registry.record, name)) {
    if (transition.called.includes(object)) continue;
    const problem = await call(registry, entry, false);
    if (problem !== undefined) notes.push(`${name} of ${object} ${problem}`);
    registry.save(withCalled(registry.record, object));
  }
}

async function call(registry: Registry, entry: number, canRefuse: boolean): Promise<string | undefined> {
  try {
    const result = await registry.machine.call(entry);
    return canRefuse && result !== 0 ? `returned ${result}` : undefined;
  } catch (error) {
    if (!(error instanceof SutureError) || error.code === "TARGET_GONE") throw error;
    return `could not be called: ${error.message}`;
  }
}

function withCalled(record: CoreRecord, object: string): CoreRecord {
  const { transition } = record;
  if (transition === undefined) return record;
  return { ...record, transition: { ...transition, called: [...transition.called, object] } };
}
