import { EXIT } from "../../lib/error.ts";
import { command } from "../command.ts";
import type { Shell } from "../completion/script.ts";
import type { WordsName } from "../completion/words.ts";

const SHELLS: readonly Shell[] = ["bash", "zsh", "fish"];
const WORD_LISTS: readonly WordsName[] = ["releases", "patches", "pids", "keys"];

/** `suture completion`; the script is made of the table in `Context.commands`. */
export const completionCommand = command({
  name: "completion",
  summary: "print a script that completes suture's words in a shell",
  description:
    "Prints a script that completes suture's words. bash: `source <(suture completion bash)`; zsh: `source <(suture completion zsh)`; fish: `suture completion fish | source`. Debian's package has installed all three. The scripts ask for what they cannot know: releases of kernels, names of livepatches, numbers of processes, names of trusted keys, a line each, with its meaning behind a tab.",
  arguments: [
    { name: "WHAT", kind: "text", choices: [...SHELLS, ...WORD_LISTS], summary: "a shell, or words of which kind" },
  ],
  options: {},
  async run(given, context) {
    const [what = ""] = given.arguments;
    if (isWordsName(what)) {
      const { wordsOf } = await import("../completion/words.ts");
      const words = await wordsOf(what, context);
      return { exit: EXIT.done, json: { words }, lines: words.map(({ word, meaning }) => `${word}\t${meaning}`) };
    }
    const { completionScript } = await import("../completion/script.ts");
    const shell = what as Shell;
    const script = completionScript(shell, context.commands);
    return { exit: EXIT.done, json: { shell, script }, lines: script.trimEnd().split("\n") };
  },
});

function isWordsName(what: string): what is WordsName {
  return WORD_LISTS.some((each) => each === what);
}
