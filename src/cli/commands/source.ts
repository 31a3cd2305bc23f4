import { EXIT } from "../../lib/error.ts";
import { command } from "../command.ts";
import { releaseChoice } from "../kernel-choice.ts";
import { usage } from "../usage.ts";

/** `suture source`; what it prints without --json is the tree's path alone, for use in a shell. */
export const sourceCommand = command({
  name: "source",
  summary: "get the source that a livepatch is made against, of a Debian package or a kernel, and print its folder",
  description:
    "Gets the source of the installed version (of the newest one in the archive where the package is not installed), runs its own build once with every compile noted, and prints the folder: the one that diffs are made in. " +
    "As root it installs what that build needs. With --kernel it is the source of that kernel, which is made ready first where it is not: nothing may be changed there, so copy what you change.",
  arguments: [{ name: "PACKAGE", kind: "text", optional: true, summary: "a package, or a source package" }],
  options: {
    kernel: { kind: "release", value: "RELEASE", summary: "a Debian kernel, as uname -r prints it, or `running`" },
  },
  async run(given, context) {
    const [name] = given.arguments;
    const { kernel } = given.options;
    if ((name === undefined) === (kernel === undefined)) throw usage("give a package, or --kernel RELEASE", "source");
    if (kernel !== undefined) {
      const { fetchKernel } = await import("../../subject/kernel/open-kernel.ts");
      const { release, version, source: tree } = await fetchKernel(releaseChoice(kernel), context);
      context.progress.done();
      return { exit: EXIT.done, json: { kernel: { release, version, tree } }, lines: [tree] };
    }
    const { distribution } = await import("../../provider/registry/distributions.ts");
    const source = await distribution().sourcePackage(name ?? "", context);
    context.progress.done();
    const { version, tree, commands, files } = source;
    const json = {
      source: { name: source.name, version, tree, compiles: commands.length, files: files.map(({ path }) => path) },
    };
    return { exit: EXIT.done, json, lines: [tree] };
  },
});
