import { command } from "../command.ts";
import {
  patchedChoice,
  patchedOptions,
  processChoice,
  processOptions,
  transitionChoice,
  transitionOptions,
} from "../process-choice.ts";

const NOTHING_CHANGED = "Exit code 2 if a process refuses, which is left as it was; others are not held up by it.";

export const preflightCommand = command({
  name: "preflight",
  summary: "say which running programs can take a livepatch in, who would hold it up, and why not",
  description:
    "Threads are stopped once, to read their stacks; nothing is changed. Exit code 2 if a process cannot be patched.",
  arguments: [{ name: "LIVEPATCH", kind: "file", summary: "a livepatch for programs" }],
  options: processOptions,
  async run(given, context) {
    const [path = ""] = given.arguments;
    const choice = processChoice(given.options, "preflight");
    const { runPreflight } = await import("../run-verb.ts");
    return await runPreflight(path, choice, context);
  },
});

export const loadCommand = command({
  name: "load",
  summary: "take a livepatch into running programs and enable it",
  description: `What standing still cost each of them is said every time. ${NOTHING_CHANGED}`,
  arguments: [{ name: "LIVEPATCH", kind: "file", summary: "a livepatch for programs" }],
  options: { ...processOptions, ...transitionOptions },
  async run(given, context) {
    const [path = ""] = given.arguments;
    const choice = processChoice(given.options, "load");
    const transition = transitionChoice(given.options, "load");
    const { runLoad } = await import("../run-verb.ts");
    return await runLoad(path, choice, transition, context);
  },
});

const patchArgument = [{ name: "PATCH", kind: "text", summary: "its name, as `suture list` shows it" }] as const;

export const enableCommand = command({
  name: "enable",
  summary: "enable a disabled livepatch again, or go on with a transition to it",
  description: NOTHING_CHANGED,
  arguments: patchArgument,
  options: { ...patchedOptions, ...transitionOptions },
  async run(given, context) {
    const [patch = ""] = given.arguments;
    const choice = patchedChoice(given.options, "enable");
    const transition = transitionChoice(given.options, "enable");
    const { runPatchVerb } = await import("../run-verb.ts");
    return await runPatchVerb("enable", patch, choice, transition, context);
  },
});

export const disableCommand = command({
  name: "disable",
  summary: "put the functions back that a livepatch has replaced; it stays in memory until it is unloaded",
  description: NOTHING_CHANGED,
  arguments: patchArgument,
  options: { ...patchedOptions, ...transitionOptions },
  async run(given, context) {
    const [patch = ""] = given.arguments;
    const choice = patchedChoice(given.options, "disable");
    const transition = transitionChoice(given.options, "disable");
    const { runPatchVerb } = await import("../run-verb.ts");
    return await runPatchVerb("disable", patch, choice, transition, context);
  },
});

export const unloadCommand = command({
  name: "unload",
  summary: "take a livepatch out of running programs, disabled first where it is enabled",
  description: `With the last one, all that suture has there is taken out. ${NOTHING_CHANGED}`,
  arguments: patchArgument,
  options: { ...patchedOptions, ...transitionOptions },
  async run(given, context) {
    const [patch = ""] = given.arguments;
    const choice = patchedChoice(given.options, "unload");
    const transition = transitionChoice(given.options, "unload");
    const { runPatchVerb } = await import("../run-verb.ts");
    return await runPatchVerb("unload", patch, choice, transition, context);
  },
});

export const forceCommand = command({
  name: "force",
  summary: "end a transition without regard for the threads that hold it up",
  description:
    "For a transition that was left as it is, with --keep. A thread may then see some functions old and some new; the livepatch that is left can never be unloaded.",
  arguments: patchArgument,
  options: { ...patchedOptions },
  async run(given, context) {
    const [patch = ""] = given.arguments;
    const choice = patchedChoice(given.options, "force");
    const { runPatchVerb } = await import("../run-verb.ts");
    return await runPatchVerb("force", patch, choice, transitionChoice({}, "force"), context);
  },
});
