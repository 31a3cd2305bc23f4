/** What a command will do in a process while threads stand still is done in one that nobody needs before: once. */

import { onThrowAwayProcess } from "../os/throw-away.ts";
import { warmUpStops } from "../tracer/warm-up.ts";
import { ProcessMachine } from "./process-machine.ts";

/** How long mapping is done again and again, milliseconds: by then it takes what it takes ever after. */
const MAPPING_MS = 25;

let isReadingWarm = false;
let isWarm = false;

/** For stops in which stacks are read. In the life of this program once. */
export function warmUpReading(): void {
  if (isReadingWarm) return;
  isReadingWarm = true;
  onThrowAwayProcess(warmUpStops);
}

/** For all that is done in stops. In the life of this program once. */
export function warmUp(): void {
  if (isWarm) return;
  isWarm = true;
  isReadingWarm = true;
  onThrowAwayProcess((pid) => {
    warmUpStops(pid);
    using machine = ProcessMachine.attach(pid);
    const end = performance.now() + MAPPING_MS;
    do {
      machine.together(() => machine.saveTargetPart({}));
      machine.dropControl();
    } while (performance.now() < end);
  });
}
