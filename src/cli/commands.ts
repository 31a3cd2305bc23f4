import type { Command } from "./command.ts";
import { auditCommand } from "./commands/audit.ts";
import { bootCommand } from "./commands/boot.ts";
import { buildCommand } from "./commands/build.ts";
import { catchUpCommand } from "./commands/catch-up.ts";
import { completionCommand } from "./commands/completion.ts";
import { daemonCommand } from "./commands/daemon.ts";
import { explainCommand } from "./commands/explain.ts";
import { installCommand, logCommand, uninstallCommand } from "./commands/installed.ts";
import { kernelFetchCommand, kernelListCommand, kernelRemoveCommand } from "./commands/kernel.ts";
import { keyGenerateCommand, keyListCommand, keyRemoveCommand, keyTrustCommand } from "./commands/key.ts";
import { monitorCommand } from "./commands/monitor.ts";
import { objectDiffCommand } from "./commands/object-diff.ts";
import { infoCommand, listCommand } from "./commands/patched.ts";
import { rehearseCommand } from "./commands/rehearse.ts";
import { signCommand } from "./commands/sign.ts";
import { sourceCommand } from "./commands/source.ts";
import { statusCommand } from "./commands/status.ts";
import {
  disableCommand,
  enableCommand,
  forceCommand,
  loadCommand,
  preflightCommand,
  signalCommand,
  unloadCommand,
} from "./commands/verbs.ts";
import { verifyCommand } from "./commands/verify.ts";

/** The table that the command line, its help, its completion and docs/cli.md are made from. */
export const commands: readonly Command[] = [
  kernelFetchCommand,
  kernelListCommand,
  kernelRemoveCommand,
  sourceCommand,
  buildCommand,
  rehearseCommand,
  explainCommand,
  auditCommand,
  keyGenerateCommand,
  keyListCommand,
  keyTrustCommand,
  keyRemoveCommand,
  signCommand,
  verifyCommand,
  preflightCommand,
  loadCommand,
  catchUpCommand,
  statusCommand,
  monitorCommand,
  listCommand,
  infoCommand,
  disableCommand,
  enableCommand,
  unloadCommand,
  signalCommand,
  forceCommand,
  installCommand,
  uninstallCommand,
  logCommand,
  bootCommand,
  daemonCommand,
  objectDiffCommand,
  completionCommand,
];
