/**
 * The first stop of a fresh command would take many times as long as later ones: what
 * it runs has to be compiled, and bound to the C library, while all threads stand
 * still. So that is done before, on a program that nobody needs.
 */
import { TracedProcess } from "./traced-process.ts";

/** Milliseconds: by then a stop costs what it costs ever after. */
const WARM_UP_MS = 15;

/** Stops a process that nobody needs again and again. */
export function warmUpStops(pid: number): void {
  using traced = new TracedProcess(pid);
  const end = performance.now() + WARM_UP_MS;
  do {
    traced.stopped(() => {
      for (const task of traced.tasks) traced.registers(task);
    });
    traced.poll();
  } while (performance.now() < end);
}
