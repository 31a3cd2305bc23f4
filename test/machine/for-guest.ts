/** Scripts that a machine runs with the package's own Node, and that use parts of this checkout. */
import { rolldown } from "rolldown";
import { NOT_BUNDLED } from "../../packaging/bundle.ts";

/** Where such a script has to lie in the machine: what it is not bundled with is found from there. */
export const GUEST_SCRIPTS = "/usr/lib/suture/dist";
/** Runs one. */
export const GUEST_NODE = "/usr/lib/suture/bin/node --no-warnings --expose-gc";

/** Writes a script and all that it imports to one file. */
export async function bundledForGuest(source: string, output: string): Promise<void> {
  await using made = await rolldown({ input: source, platform: "node", external: [NOT_BUNDLED] });
  await made.write({ file: output, codeSplitting: false });
}
