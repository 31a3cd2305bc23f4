import { command } from "../command.ts";
import { kernelChoice, kernelOptions } from "../kernel-choice.ts";
import { programChoice, programOptions } from "../program-choice.ts";
import type { CatchUpOf } from "../run-catch-up.ts";
import { processChoice, processOptions, transitionChoice, transitionOptions } from "../target-choice.ts";
import { usage } from "../usage.ts";

/** `suture catch-up`. */
export const catchUpCommand = command({
  name: "catch-up",
  summary: "give what runs as an older version all named fixes that it can get without a restart",
  description:
    "Finds programs and libraries that run as an older version than the machine or the archive has, and the fixes by name between the two; builds one livepatch of as many whole fixes as can be had, and loads it. " +
    "With --kernel it is that kernel, and the patches that its packages add by name; with --series the fixes are those of a series, for that kernel or for a program. " +
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
    pid: { ...processOptions.pid, summary: "this process alone; may be given more than once" },
    "dry-run": { kind: "flag", summary: "build the livepatches, and load nothing" },
    series: {
      kind: "text",
      value: "SERIES",
      summary:
        "the fixes: a directory with a quilt series, a mailbox of git format-patch, or commits of a git repository (FROM..TO, REPOSITORY:FROM..TO)",
    },
    ...kernelOptions,
    ...programOptions,
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
    const program = programChoice(options, "catch-up");
    const kernel = program === undefined ? kernelChoice(options, "catch-up") : undefined;
    const { series } = options;
    if (options.jobs === 0) throw usage("--jobs takes a number from 1", "catch-up");
    if (given.arguments.length > 0 && (program !== undefined || kernel !== undefined || series !== undefined))
      throw usage("packages go without --kernel, --series and the options of a program", "catch-up");
    if (series !== undefined && program === undefined && kernel === undefined)
      throw usage(
        "--series also needs what it is for: --kernel RELEASE, --package NAME or --compile-commands FILE",
        "catch-up",
      );
    if (program !== undefined && series === undefined)
      throw usage("a program is caught up by its PACKAGE, or with --series", "catch-up");
    if (kernel?.kind === "module-source" && series === undefined)
      throw usage("modules of a source of their own are caught up with --series", "catch-up");
    const of: CatchUpOf =
      kernel !== undefined
        ? { kind: "kernel", kernel, series }
        : program !== undefined
          ? { kind: "program", program, series: series ?? "" }
          : { kind: "packages", packages: given.arguments };
    const { runCatchUp } = await import("../run-catch-up.ts");
    const { output = ".", jobs } = options;
    const processes = processChoice({ pid: options.pid, all: false }, "catch-up") ?? { kind: "all" };
    if (processes.kind === "pids" && of.kind === "kernel") throw usage("--pid is for programs", "catch-up");
    return await runCatchUp({ of, processes, isDry: options["dry-run"], output, jobs, transition }, context);
  },
});
