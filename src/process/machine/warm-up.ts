/** What a command will do in a process while threads stand still is done in one that nobody needs before: once. */

import { onThrowAwayProcess } from "../os/throw-away.ts";
import { warmUpStops } from "../tracer/warm-up.ts";
import { ProcessMachine } from "./process-machine.ts";

/** How long mapping is done again and again, milliseconds: by then it takes what it takes ever after. */
const MAPPING_MS = 25;

let isWarm = false;

/** In the life of this program once. */
export function warmUp(): void {
  if (isWarm) return;
  isWarm = true;
  onThrowAwayProcess((pid) => {
    warmUpStops(pid);
    using machine = ProcessMachine.attach(pid);
    const end = performance.now() + MAPPING_MS;
    do {
      machine.together(() => machine.saveExtra({}));
      machine.dropControl();
    } while (performance.now() < end);
  });
}
