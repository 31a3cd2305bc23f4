import { EXIT } from "../../lib/error.ts";
import { command } from "../command.ts";

/** `suture source`; what it prints without --json is the tree's path alone, for use in a shell. */
export const sourceCommand = command({
  name: "source",
  summary: "make a Debian package ready to build livepatches for: its source, built once, cached",
  description:
    "Gets the source of the installed version (of the newest one in the archive where the package is not installed), runs its own build once with every compile noted, and prints the folder: the one that diffs are made in. " +
    "As root it installs what that build needs.",
  arguments: [{ name: "PACKAGE", kind: "text", summary: "a package, or a source package" }],
  options: {},
  async run(given, context) {
    const { distribution } = await import("../../provider/registry/distributions.ts");
    const [name = ""] = given.arguments;
    const source = await distribution().sourcePackage(name, context);
    context.progress.done();
    const { version, tree, commands, files } = source;
    const json = {
      source: { name: source.name, version, tree, compiles: commands.length, files: files.map(({ path }) => path) },
    };
    return { exit: EXIT.done, json, lines: [tree] };
  },
});
