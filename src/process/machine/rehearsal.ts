/** What a command will do in a process while threads stand still, done in one that nobody needs before: once. */

import { onThrowAwayProcess, rehearseStops } from "../tracer/rehearsal.ts";
import { ProcessMachine } from "./process-machine.ts";

/** How long the mapping is rehearsed: by then it takes what it takes ever after. */
const MAPPING_MS = 25;

let hasRehearsed = false;

/** In the life of this program once. */
export function rehearse(): void {
  if (hasRehearsed) return;
  hasRehearsed = true;
  onThrowAwayProcess((pid) => {
    rehearseStops(pid);
    using machine = ProcessMachine.attach(pid);
    const end = performance.now() + MAPPING_MS;
    do {
      machine.together(() => machine.saveExtra({}));
      machine.dropControl();
    } while (performance.now() < end);
  });
}
