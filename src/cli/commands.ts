import type { Command } from "./command.ts";
import { buildCommand } from "./commands/build.ts";
import { completionCommand } from "./commands/completion.ts";
import { explainCommand } from "./commands/explain.ts";
import { kernelFetchCommand, kernelListCommand, kernelRemoveCommand } from "./commands/kernel.ts";
import { objectDiffCommand } from "./commands/object-diff.ts";
import { rehearseCommand } from "./commands/rehearse.ts";

/** The table that the command line, its help, its completion and docs/cli.md are made from. */
export const commands: readonly Command[] = [
  kernelFetchCommand,
  kernelListCommand,
  kernelRemoveCommand,
  buildCommand,
  rehearseCommand,
  explainCommand,
  objectDiffCommand,
  completionCommand,
];
