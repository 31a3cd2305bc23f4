import { SutureError } from "../lib/error.ts";
import type { TaskId } from "./machine.ts";

/** A task that does not stop now: it sleeps where nothing can wake it. `STOP_TIMEOUT`. */
export class Unstoppable extends SutureError {
  readonly task: TaskId;

  constructor(task: TaskId, what: string, options: { readonly where: string; readonly hint: string }) {
    super("STOP_TIMEOUT", what, options);
    this.task = task;
  }
}
