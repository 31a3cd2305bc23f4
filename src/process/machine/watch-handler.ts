/** The net for watched tasks in one process (see `TrapHandler`): set once a transition, taken away when none is watched any more. */
import { readFileSync } from "node:fs";
import type { TaskId } from "../../core/machine.ts";
import type { ProcessHooks } from "../hooks/process-hooks.ts";
import { nativeHook, nativeLinux } from "../os/native.ts";
import { isInMask, SIGNAL_SET_SIZE, SIGTRAP } from "../os/signals.ts";
import type { ProcessMemory } from "../store/memory.ts";
import type { SystemCall } from "./process-mapper.ts";

/** Whether the handler is set is remembered in the process too, since it outlives us. */
export class WatchHandler {
  readonly #memory: ProcessMemory;
  readonly #hooks: ProcessHooks;
  readonly #systemCall: SystemCall;
  #isSet = false;

  constructor(memory: ProcessMemory, hooks: ProcessHooks, systemCall: SystemCall) {
    this.#memory = memory;
    this.#hooks = hooks;
    this.#systemCall = systemCall;
  }

  get isSet(): boolean {
    return this.#isSet;
  }

  /** Takes over what an earlier command has left. */
  adopt(isSet: boolean): void {
    this.#isSet = isSet;
  }

  /** false where the program, or this task, has other plans with SIGTRAP. */
  set(task: TaskId): boolean {
    const status = readFileSync(`/proc/${task}/status`, "latin1");
    if (isInMask(status, "SigBlk", SIGTRAP)) return false;
    if (this.#isSet || isInMask(status, "SigIgn", SIGTRAP)) return true;
    const { layout, areas } = this.#hooks;
    const area = areas[0];
    if (layout === undefined || area === undefined || isInMask(status, "SigCgt", SIGTRAP)) return false;
    this.#memory.write(layout.handlerSet, Buffer.from([1]));
    this.#isSet = this.#setDisposition(nativeHook().trapHandler.action(area.trapHandler, "set"));
    return this.#isSet;
  }

  /** After a stop in which no task was watched any more, and what had been caused by then was forgotten. */
  takeAway(): void {
    const { layout, areas } = this.#hooks;
    const area = areas[0];
    if (!this.#isSet || layout === undefined || area === undefined) return;
    this.#setDisposition(nativeHook().trapHandler.action(area.trapHandler, "none"));
    this.#memory.write(layout.handlerSet, Buffer.from([0]));
    this.#isSet = false;
  }

  #setDisposition(action: number): boolean {
    return this.#systemCall(nativeLinux().systemCalls.rtSigaction, [SIGTRAP, action, 0, SIGNAL_SET_SIZE]) === 0;
  }
}
