import type { Command } from "../command.ts";
import { bashScript } from "./bash.ts";
import { fishScript } from "./fish.ts";
import { zshScript } from "./zsh.ts";

/** A shell for which there is a script. */
export type Shell = "bash" | "zsh" | "fish";

/** The script that teaches a shell the words of the table. */
export function completionScript(shell: Shell, table: readonly Command[]): string {
  switch (shell) {
    case "bash":
      return bashScript(table);
    case "zsh":
      return zshScript(table);
    case "fish":
      return fishScript(table);
  }
}
