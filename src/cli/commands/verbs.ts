import { command, type Options, type OptionValues } from "../command.ts";
import { supervisionChoice, watchOptions } from "../supervision-choice.ts";
import {
  patchedChoice,
  patchedOptions,
  processChoice,
  processOptions,
  transitionChoice,
  transitionOptions,
} from "../target-choice.ts";
import { usage } from "../usage.ts";

const NOTHING_CHANGED =
  "Exit code 2 if the kernel or a process refuses, which is left as it was; others are not held up by it.";

const fileArgument = [
  { name: "LIVEPATCH", kind: "file", summary: "a livepatch, for the kernel or for programs" },
] as const;

const olderOption = {
  older: {
    kind: "flag",
    summary: "take an older version of a livepatch than the one of its name that is loaded or installed",
  },
} as const satisfies Options;

/** `suture preflight`; --json prints what verb-report.ts makes of the targets' results, as it does for all verbs. */
export const preflightCommand = command({
  name: "preflight",
  summary:
    "say whether the running kernel, or running programs, can take a livepatch in, who would hold it up, and why not",
  description:
    "Threads of programs are stopped once, to read their stacks; nothing is changed. Exit code 2 if the kernel or a process cannot be patched.",
  arguments: fileArgument,
  options: { ...processOptions, ...olderOption },
  async run(given, context) {
    const [path = ""] = given.arguments;
    const choice = processChoice(given.options, "preflight");
    const transition = transitionChoice({}, "preflight");
    const { runFileVerb } = await import("../run-verb.ts");
    return await runFileVerb("preflight", path, choice, { transition, context, allowOlder: given.options.older });
  },
});

/** `suture load`. The path is read once, and what was read is what is loaded. */
export const loadCommand = command({
  name: "load",
  summary: "take a livepatch into the running kernel, or into running programs, and enable it",
  description: `The file says what it is for. What is signed, and has to be, is in docs/signatures.md. With --all and no file, all is loaded that is installed for what runs. What standing still cost each process is said every time. ${NOTHING_CHANGED}`,
  arguments: [{ ...fileArgument[0], optional: true }],
  options: { ...processOptions, ...olderOption, ...transitionOptions, ...watchOptions },
  async run(given, context) {
    const [path] = given.arguments;
    const choice = processChoice(given.options, "load");
    const transition = transitionChoice(given.options, "load");
    const supervision = supervisionChoice(given.options);
    if (path === undefined) {
      if (supervision !== undefined) throw usage("what is installed is not watched: give a livepatch", "load");
      if (choice?.kind !== "all") throw usage("give a livepatch, or --all for what is installed", "load");
      const { runLoadInstalled } = await import("../run-boot.ts");
      return await runLoadInstalled({ transition, context });
    }
    const { runFileVerb } = await import("../run-verb.ts");
    return await runFileVerb("load", path, choice, {
      transition,
      context,
      allowOlder: given.options.older,
      supervision,
    });
  },
});

const patchArgument = [{ name: "PATCH", kind: "patch", summary: "its name, as `suture list` shows it" }] as const;
const verbOptions = { ...patchedOptions, ...transitionOptions } as const satisfies Options;

/** A command on a patch that is loaded. */
function patchCommand(name: "enable" | "disable", summary: string, description: string) {
  return command({
    name,
    summary,
    description,
    arguments: patchArgument,
    options: verbOptions,
    async run(given, context) {
      const [patch = ""] = given.arguments;
      const options: OptionValues<typeof verbOptions> = given.options;
      const choice = patchedChoice(options, name);
      const transition = transitionChoice(options, name);
      const { runPatchVerb } = await import("../run-verb.ts");
      return await runPatchVerb(name, patch, choice, { transition, context });
    },
  });
}

/** `suture enable`; during a transition away from the patch it turns that round. */
export const enableCommand = patchCommand(
  "enable",
  "enable a disabled livepatch again, or go on with a transition to it",
  `The kernel enables none again that it has disabled: load its file. ${NOTHING_CHANGED}`,
);

/** `suture disable`; during a transition to the patch it turns that round. */
export const disableCommand = patchCommand(
  "disable",
  "put the functions back that a livepatch has replaced; it stays in memory until it is unloaded",
  NOTHING_CHANGED,
);

/** `suture unload`; what may still be referred to stays in memory, and is told. */
export const unloadCommand = command({
  name: "unload",
  summary: "take a livepatch out of the running kernel or of programs, disabled first where it is enabled",
  description: `With the last one, all that suture has in a program is taken out. ${NOTHING_CHANGED}`,
  arguments: [{ ...patchArgument[0], optional: true }],
  options: {
    ...verbOptions,
    all: {
      kind: "flag",
      summary:
        "all livepatches, whoever made them, the last one first; --target or --pid: of the kernel, or of processes",
    },
  },
  async run(given, context) {
    const [patch] = given.arguments;
    const choice = patchedChoice(given.options, "unload");
    const how = { transition: transitionChoice(given.options, "unload"), context };
    if (given.options.all !== (patch === undefined)) throw usage("give a livepatch's name, or --all", "unload");
    if (patch === undefined) {
      const { runUnloadAll } = await import("../run-unload-all.ts");
      return await runUnloadAll(choice, how);
    }
    const { runPatchVerb } = await import("../run-verb.ts");
    return await runPatchVerb("unload", patch, choice, how);
  },
});

/** `suture force`; it has no options of a transition, since it begins none. */
export const forceCommand = command({
  name: "force",
  summary: "end a transition without regard for the tasks that hold it up",
  description:
    "For a transition that was left as it is, with --keep. A task may then see some functions old and some new; the livepatch that is left can never be unloaded.",
  arguments: patchArgument,
  options: { ...patchedOptions },
  async run(given, context) {
    const [patch = ""] = given.arguments;
    const choice = patchedChoice(given.options, "force");
    const { runPatchVerb } = await import("../run-verb.ts");
    return await runPatchVerb("force", patch, choice, { transition: transitionChoice({}, "force"), context });
  },
});

/** `suture signal`, for the running kernel alone: in a process suture itself has every thread switch. */
export const signalCommand = command({
  name: "signal",
  summary: "wake the tasks that hold up a transition of the running kernel, so that they switch",
  description:
    "The kernel does this by itself, every 15 seconds. No system call fails by it; tasks in uninterruptible sleep and kernel threads are not reached. Exit code 2 if the transition goes on.",
  arguments: patchArgument,
  options: {},
  async run(given, context) {
    const [patch = ""] = given.arguments;
    const { runSignal } = await import("../run-verb.ts");
    return await runSignal(patch, { transition: transitionChoice({}, "signal"), context });
  },
});
