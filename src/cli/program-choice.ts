import type { ProgramChoice } from "../subject/program/open-program.ts";
import type { Options, OptionValues } from "./command.ts";
import { usage } from "./usage.ts";

/** The options with which a command lets a program be chosen. */
export const programOptions = {
  package: {
    kind: "text",
    value: "NAME",
    summary:
      "a program or library of Debian: the package, or its source package; NAME=VERSION for another version than the installed or newest one",
  },
  "compile-commands": {
    kind: "file",
    value: "FILE",
    summary: "a program of one's own: the compile_commands.json that it was built with",
  },
  exe: {
    kind: "file",
    value: "FILE",
    many: true,
    summary: "the executable or library that runs; for a package, these of its files alone",
  },
} as const satisfies Options;

const OF_KERNELS = ["kernel", "build", "headers", "vmlinux", "modules", "module-source"] as const;

type Values = OptionValues<typeof programOptions> & { readonly source?: string | undefined } & {
  readonly [Name in (typeof OF_KERNELS)[number]]?: string | undefined;
};

/** The program that was chosen; undefined where none of its options is given. Throws `USAGE`. */
export function programChoice(options: Values, name: string): ProgramChoice | undefined {
  const { package: packaged, "compile-commands": commands, exe: executables, source } = options;
  if (packaged === undefined && commands === undefined) {
    if (executables.length > 0) throw usage("--exe goes with --package or --compile-commands", name);
    return undefined;
  }
  if (packaged !== undefined && commands !== undefined)
    throw usage("--package and --compile-commands exclude each other", name);
  const kernel = OF_KERNELS.find((each) => options[each] !== undefined);
  if (kernel !== undefined) throw usage(`--${kernel} is for kernels`, name);
  if (packaged !== undefined) {
    if (source !== undefined) throw usage("--package has its own source: `suture source` prints where", name);
    return { kind: "package", name: packaged, executables };
  }
  if (executables.length === 0) throw usage("--compile-commands also needs --exe, the file that runs", name);
  return { kind: "commands", commands: commands as string, executables, source };
}
