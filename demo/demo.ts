/**
 * What suture does, explained as it goes: a published fix in a kernel that keeps running, others in
 * programs that keep running, and a machine that is kept patched. Ends with exit code 1 where anything is
 * not as it says.
 *
 *     node demo/demo.ts [RELEASE]
 */
import { catchInterrupts } from "../src/lib/interrupt.ts";
import { temporaryDirectory } from "../src/lib/temp.ts";
import { patchKernel } from "./kernel.ts";
import { patchPrograms } from "./process.ts";
import { chapter, table, told } from "./story.ts";
import { tour } from "./tour.ts";
import { TourMachine } from "./tour-machine.ts";

const { signal } = catchInterrupts();
await told(async () => {
  const began = performance.now();
  await using directory = await temporaryDirectory();
  // It takes a while, and is needed last.
  const machine = TourMachine.prepare(directory.path, signal);
  const onKernel = machine.begin;
  const kernel = await patchKernel({ release: process.argv[2], signal, onKernel });
  const programs = await patchPrograms(signal);
  const toured = await tour(machine);
  chapter("In short");
  table([
    ...kernel,
    ...programs,
    ...toured,
    ["the whole demo", `${((performance.now() - began) / 1000).toFixed(0)} s`],
  ]);
});
