/** The record of a system, as the core works with it: read once, and changed together with the system. */

import type { Hook, Machine, Obstacle, Site, StoppedSystem, TaskId } from "./machine.ts";
import { type CoreRecord, decodeRecord, EMPTY_RECORD, encodeRecord } from "./record.ts";

/** A record that may come next, written out before the stop in which it is committed. */
export interface PreparedRecord {
  readonly record: CoreRecord;
  readonly text: string;
}

/** Writes the record out now, so that a stop need not. */
export function prepare(record: CoreRecord): PreparedRecord {
  return { record, text: encodeRecord(record) };
}

/** Holds the record that is in the system at this moment, after an error too: it is then read again. */
export class Registry {
  readonly machine: Machine;
  #record: CoreRecord;

  /** Throws `CORE_RECORD_CORRUPT`. */
  constructor(machine: Machine) {
    this.machine = machine;
    this.#record = found(machine);
  }

  get record(): CoreRecord {
    return this.#record;
  }

  commit(
    system: StoppedSystem,
    hooks: ReadonlyMap<Site, Hook>,
    behind: ReadonlySet<TaskId>,
    next: PreparedRecord,
  ): Obstacle | undefined {
    const obstacle = this.#truly(() => system.commit({ hooks, behind, record: next.text }));
    if (obstacle === undefined) this.#record = next.record;
    return obstacle;
  }

  /** Changes the record alone. */
  save(record: CoreRecord): void {
    this.#truly(() => this.machine.save(encodeRecord(record)));
    this.#record = record;
  }

  /** After an error only the system knows whether the change was made. */
  #truly<T>(change: () => T): T {
    try {
      return change();
    } catch (error) {
      this.#record = found(this.machine);
      throw error;
    }
  }
}

function found(machine: Machine): CoreRecord {
  const text = machine.record();
  return text === undefined ? EMPTY_RECORD : decodeRecord(text);
}
