import {
  Argument as CommanderArgument,
  Command as CommanderCommand,
  CommanderError,
  Option as CommanderOption,
} from "commander";
import { VERSION } from "../lib/version.ts";
import { type Argument, type Command, commonOptions, type Given, type Options, type ValueOption } from "./command.ts";
import { usage } from "./usage.ts";

/** What a command line asks for. `json` and `quiet` are the options that every command has. */
export type Parsed =
  | {
      readonly kind: "run";
      readonly command: Command;
      readonly given: Given;
      readonly json: boolean;
      readonly quiet: boolean;
    }
  /** Help or the version was asked for: print it and be done. */
  | { readonly kind: "print"; readonly text: string };

const SUMMARY =
  "Live patching for Linux: a source diff becomes a livepatch in seconds, proved against the code that runs.";

/** What a command line says. Throws `USAGE`. */
export function parse(table: readonly Command[], argv: readonly string[]): Parsed {
  let printed = "";
  let parsed: Parsed | undefined;
  const root = new CommanderCommand("suture").description(SUMMARY).version(VERSION).enablePositionalOptions();
  const groups = new Map<string, CommanderCommand>();
  const all = [root];
  for (const each of table) {
    const words = each.name.split(" ");
    const name = words.pop() as string;
    const parent = words.length === 0 ? root : groupOf(words.join(" "), { root, groups, table, all });
    const sub = parent
      .command(name)
      .description(each.description ?? each.summary)
      .summary(each.summary);
    for (const argument of each.arguments) sub.addArgument(commanderArgument(argument));
    const options = { ...each.options, ...commonOptions };
    for (const [long, option] of Object.entries(options)) sub.addOption(commanderOption(long, option));
    sub.action(() => {
      const values = valuesOf(options, sub, each);
      parsed = {
        kind: "run",
        command: each,
        given: { arguments: sub.args, options: values as Given["options"] },
        json: values["json"] === true,
        quiet: values["quiet"] === true,
      };
    });
    all.push(sub);
  }
  for (const each of all) {
    each.exitOverride();
    each.configureOutput({ writeOut: (text) => (printed += text), writeErr: () => {} });
  }
  try {
    root.parse(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { kind: "print", text: printed };
    if (error.code === "commander.help") throw usage("no command is given", undefined);
    throw usage(error.message.replace(/^error: /, ""), commandNamed(argv, table)?.name);
  }
  if (parsed === undefined) throw usage("no command is given", undefined);
  return parsed;
}

interface Parser {
  readonly root: CommanderCommand;
  readonly groups: Map<string, CommanderCommand>;
  readonly table: readonly Command[];
  /** Root, groups and commands. */
  readonly all: CommanderCommand[];
}

function groupOf(name: string, { root, groups, table, all }: Parser): CommanderCommand {
  const there = groups.get(name);
  if (there !== undefined) return there;
  const verbs = table
    .filter((each) => each.name.startsWith(`${name} `))
    .map((each) => each.name.slice(name.length + 1));
  const group = root.command(name).description(`${verbs.join(", ")}`);
  groups.set(name, group);
  all.push(group);
  return group;
}

function commanderArgument(argument: Argument): CommanderArgument {
  const words = argument.many === true ? `${argument.name}...` : argument.name;
  const made = new CommanderArgument(argument.optional === true ? `[${words}]` : `<${words}>`, argument.summary);
  return argument.choices === undefined ? made : made.choices(argument.choices);
}

function commanderOption(long: string, option: Options[string]): CommanderOption {
  const short = option.short === undefined ? "" : `-${option.short}, `;
  if (option.kind === "flag") return new CommanderOption(`${short}--${long}`, option.summary);
  const made = new CommanderOption(`${short}--${long} <${option.value}>`, option.summary);
  if (option.many !== true) return made;
  return made.argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value]);
}

function valuesOf(options: Options, sub: CommanderCommand, row: Command): Record<string, unknown> {
  const opts = sub.opts();
  const values: Record<string, unknown> = {};
  for (const [long, option] of Object.entries(options)) {
    const made = commanderOption(long, option);
    const value: unknown = opts[made.attributeName()];
    if (option.kind === "flag") values[long] = value === !made.negate;
    else if (option.many === true) values[long] = value ?? [];
    else values[long] = typeof value === "string" ? converted(long, option, value, row) : undefined;
  }
  return values;
}

function converted(long: string, option: ValueOption, text: string, row: Command): string | number {
  if (option.kind === "integer" || option.kind === "pid") {
    if (/^\d{1,9}$/.test(text)) return Number(text);
    throw usage(`--${long} takes a whole number, not '${text}'`, row.name);
  }
  if (option.kind === "seconds") {
    if (/^\d{1,7}(\.\d+)?$/.test(text) && Number(text) > 0) return Number(text);
    throw usage(`--${long} takes a number of seconds, not '${text}'`, row.name);
  }
  return text;
}

function commandNamed(argv: readonly string[], table: readonly Command[]): Command | undefined {
  return table.find((each) => each.name.split(" ").every((word, index) => argv[index] === word));
}
