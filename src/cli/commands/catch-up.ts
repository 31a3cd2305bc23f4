import { command } from "../command.ts";
import { transitionChoice, transitionOptions } from "../target-choice.ts";

/** `suture catch-up`. */
export const catchUpCommand = command({
  name: "catch-up",
  summary: "give what runs as an older version all named fixes that it can get without a restart",
  description:
    "Finds programs and libraries that run as an older version than the machine or the archive has, and the fixes by name between the two; builds one livepatch of as many whole fixes as can be had, and loads it. " +
    "Each fix is told of: live, waiting for a restart and why, or of no concern. Exit code 2 if any waits.",
  arguments: [
    {
      name: "PACKAGE",
      kind: "text",
      many: true,
      optional: true,
      summary: "a package, or a source package; default: all that are installed and run",
    },
  ],
  options: {
    "dry-run": { kind: "flag", summary: "build the livepatches, and load nothing" },
    output: {
      kind: "directory",
      short: "o",
      value: "DIR",
      summary: "where the livepatches are written; default: the working directory",
    },
    jobs: { kind: "integer", short: "j", value: "N", summary: "compilers at a time; default: one a processor" },
    consistency: transitionOptions.consistency,
    timeout: transitionOptions.timeout,
  },
  async run(given, context) {
    const { options } = given;
    const transition = transitionChoice(options, "catch-up");
    const { runCatchUp } = await import("../run-catch-up.ts");
    return await runCatchUp(
      {
        packages: given.arguments,
        isDry: options["dry-run"],
        output: options.output ?? ".",
        jobs: options.jobs,
        transition,
      },
      context,
    );
  },
});
