/**
 * Loads and unloads a patch in a process again and again, until it is killed.
 * argv: pid, the model, and the patch as JSON. Prints a line once it has begun.
 */

import type { Consistency } from "../../src/core/consistency.ts";
import { Core } from "../../src/core/core.ts";
import type { Patch } from "../../src/core/patch.ts";
import { ProcessMachine } from "../../src/process/machine/process-machine.ts";

const [pid = "", consistency = "", json = ""] = process.argv.slice(2);
const patch = JSON.parse(json) as Patch;
using machine = ProcessMachine.attach(Number(pid));
const core = Core.open(machine);
const options = { consistency: consistency as Consistency };
process.stdout.write("ready\n");
for (;;) {
  await core.load(patch, options);
  await core.disable(patch.name, options);
  core.unload(patch.name);
  machine.dropControl();
}
