import { EXIT } from "../../lib/error.ts";
import { command } from "../command.ts";
import type { Shell } from "../completion.ts";

const SHELLS: readonly Shell[] = ["bash", "zsh", "fish"];

/** `suture completion`; the script is made of the table in `Context.commands`. */
export const completionCommand = command({
  name: "completion",
  summary: "print a script that completes suture's words in a shell",
  description:
    "Prints a script that completes suture's words. bash: `source <(suture completion bash)`; zsh: `source <(suture completion zsh)`; fish: `suture completion fish | source`.",
  arguments: [{ name: "SHELL", kind: "text", choices: SHELLS, summary: "bash, zsh or fish" }],
  options: {},
  async run(given, context) {
    const { completionScript } = await import("../completion.ts");
    const shell = given.arguments[0] as Shell;
    const script = completionScript(shell, context.commands);
    return { exit: EXIT.done, json: { shell, script }, lines: script.trimEnd().split("\n") };
  },
});
