import { EXIT } from "../../lib/error.ts";
import { command } from "../command.ts";
import { usage } from "../usage.ts";

/** `suture status`; exit code 1 where a process has something that cannot be read, and the rest is shown all the same. */
export const statusCommand = command({
  name: "status",
  summary:
    "the machine on one screen: what is live, who holds a transition up, what a reboot would bring, the last harm",
  description:
    "The kernel and all programs; nothing is stopped, and nothing is changed. What is installed is known to root alone.",
  arguments: [],
  options: {
    watch: { kind: "flag", summary: "go on showing it as it changes, until it is interrupted" },
  },
  async run({ options: { watch } }, context) {
    const { machineState } = await import("../../host/status/machine.ts");
    const { hostPaths } = await import("../../host/paths.ts");
    const { statusJson, statusLines } = await import("../status-report.ts");
    if (watch) {
      if (context.json) throw usage("--watch and --json exclude each other", "status");
      const { screens } = await import("../screens.ts");
      const shown = screens(async () => statusLines(await machineState(hostPaths())), context.signal);
      return { exit: EXIT.done, json: EMPTY, lines: [], screens: shown };
    }
    const state = await machineState(hostPaths());
    const exit = state.damaged.length === 0 ? EXIT.done : EXIT.environment;
    return { exit, json: statusJson(state), lines: statusLines(state) };
  },
});

/** Of screens there is no document. */
const EMPTY = { kernel: "", live: [], newer: [], damaged: [], hidden: 0 };
