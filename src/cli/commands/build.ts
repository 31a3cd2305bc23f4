import { MAX_PATCH_VERSION } from "../../patch/metadata.ts";
import { command, type OptionValues } from "../command.ts";
import { kernelChoice, type kernelOptions, kernelsOptions } from "../kernel-choice.ts";
import { programChoice, programOptions } from "../program-choice.ts";
import type { Patched } from "../run-build.ts";
import { usage } from "../usage.ts";

/** `suture build`; --json prints a `LivepatchResult`, whatever it is. */
export const buildCommand = command({
  name: "build",
  summary: "make a livepatch from one or more source diffs",
  description:
    "Makes a livepatch from one or more source diffs, applied in their order: a kernel module for a kernel, an object file for a program. `-` stands for standard input. " +
    "Exit code 2 if something cannot be patched, 3 if the diff changes no code; nothing is written then.",
  arguments: [{ name: "DIFF", kind: "file", many: true, summary: "a diff, as git or `diff -u` makes it" }],
  options: {
    ...kernelsOptions,
    ...programOptions,
    output: {
      kind: "file",
      short: "o",
      value: "FILE",
      summary:
        "what to write; default: livepatch-NAME.ko, for a program livepatch-NAME.o; for several kernels a directory, in which each has livepatch-NAME-RELEASE.ko",
    },
    name: {
      kind: "text",
      value: "NAME",
      summary: "the livepatch's name; default: livepatch_ and the first diff's name",
    },
    "patch-version": {
      kind: "integer",
      value: "N",
      summary:
        "number it, from 1: of two livepatches of one name the higher one is newer, and is not replaced by the lower",
    },
    "no-replace": { kind: "flag", summary: "stack it on the livepatches that are loaded, instead of replacing them" },
    "no-diff": {
      kind: "flag",
      summary: "do not keep the diffs in the livepatch, where explain and the monitor's page show them",
    },
    strip: {
      kind: "integer",
      short: "p",
      value: "N",
      summary: "leading directories to drop from the diff's file names; found out by default",
    },
    jobs: { kind: "integer", short: "j", value: "N", summary: "compilers at a time; default: one a processor" },
  },
  async run(given, context) {
    const { options } = given;
    if (options.jobs === 0) throw usage("--jobs takes a number from 1", "build");
    const { strip, output, name, jobs } = options;
    const patchVersion = options["patch-version"];
    if (patchVersion !== undefined && (patchVersion === 0 || patchVersion > MAX_PATCH_VERSION))
      throw usage(`--patch-version takes a number from 1 to ${MAX_PATCH_VERSION}`, "build");
    const replace = !options["no-replace"];
    const keepsDiffs = !options["no-diff"];
    const rest = { diffs: given.arguments, strip, output, name, patchVersion, jobs, replace, keepsDiffs };
    const [kernel, ...more] = options.kernel;
    if (more.length > 0 || kernel === "ready") {
      const other = OTHERS.find((each) => options[each] !== undefined && options[each]?.length !== 0);
      if (other !== undefined) throw usage(`several kernels and --${other} exclude each other`, "build");
      const { runBuildForKernels } = await import("../run-build-for-kernels.ts");
      return await runBuildForKernels({ kernels: options.kernel, ...rest }, context);
    }
    const patched = patchedBy({ ...options, kernel });
    const { runBuild } = await import("../run-build.ts");
    return await runBuild({ patched, ...rest }, context);
  },
});

/** What says of one kernel or program where it is. */
const OTHERS = [
  ...(["build", "source", "headers", "vmlinux", "modules", "module-source"] as const),
  ...(["package", "compile-commands", "exe"] as const),
] as const;

function patchedBy(options: OptionValues<typeof kernelOptions & typeof programOptions>): Patched {
  const program = programChoice(options, "build");
  if (program !== undefined) return { kind: "program", program };
  const kernel = kernelChoice(options, "build");
  if (kernel !== undefined) return { kind: "kernel", kernel };
  throw usage(
    "what to patch is not given: --kernel RELEASE, --build DIR, --package NAME or --compile-commands FILE",
    "build",
  );
}
