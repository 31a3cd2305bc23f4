import type { Cache } from "../lib/cache.ts";
import type { ExitCode, Problem } from "../lib/error.ts";
import type { Progress } from "../lib/progress.ts";
import type { DocumentName, Json } from "./documents.ts";

/**
 * What a value is, for the check of what was typed, the completion and the reference;
 * `patch` is the name of a livepatch, `pid` the number of a process, `key` a key that is trusted.
 */
export type ValueKind = "text" | "file" | "directory" | "release" | "patch" | "pid" | "key" | "integer" | "seconds";

/** An option without a value: false where it is not given. */
export interface FlagOption {
  readonly kind: "flag";
  readonly short?: string;
  readonly summary: string;
}

/** An option with a value: undefined, or an empty list where it may be given more than once, unless it is given. */
export interface ValueOption {
  readonly kind: ValueKind;
  readonly short?: string;
  /** Stands for the value in help, for instance FILE. */
  readonly value: string;
  /** May be given more than once. */
  readonly many?: true;
  readonly summary: string;
}

/** By long name, without the dashes. */
export type Options = Readonly<Record<string, FlagOption | ValueOption>>;

/** A word that has to be given, in its place. What is typed is passed on as it is, but for `choices`. */
export interface Argument {
  readonly name: string;
  readonly kind: ValueKind;
  /** One or more; the last argument alone may be so. */
  readonly many?: true;
  /** May be left out; the last argument alone may be so. */
  readonly optional?: true;
  /** The only words that are taken. */
  readonly choices?: readonly string[];
  readonly summary: string;
}

type OptionValue<Option> = Option extends { readonly kind: "flag" }
  ? boolean
  : Option extends { readonly many: true }
    ? readonly string[]
    : Option extends { readonly kind: "integer" | "seconds" | "pid" }
      ? number | undefined
      : string | undefined;

/** What `run` gets for a table of options, by long name: booleans, numbers, strings, or lists of strings. */
export type OptionValues<Table extends Options> = { readonly [Name in keyof Table]: OptionValue<Table[Name]> };

/** What the command line says, checked against the table. */
export interface Given<Table extends Options = Options> {
  readonly arguments: readonly string[];
  readonly options: OptionValues<Table>;
}

/** What a command has to work with. */
export interface Context {
  /** The whole table. */
  readonly commands: readonly Command[];
  readonly cache: Cache;
  readonly progress: Progress;
  /** Whose policy of trust holds: docs/signatures.md. */
  readonly taker: "command" | "daemon";
  /** Whether --json was given. */
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** What a command has to say. */
export interface Outcome<Shown = unknown> {
  readonly exit: ExitCode;
  /** What --json prints, without the words that say which document it is. */
  readonly json: Shown;
  /** What is printed without --json, on standard output: a line each, in which whatever is unsafe for a terminal is escaped. */
  readonly lines: readonly string[];
  /** Shown one after the other, until there are no more; --json prints none of them. */
  readonly screens?: AsyncIterable<readonly string[]>;
  /** What goes on when all is printed; the command ends with it. */
  readonly goesOn?: () => Promise<void>;
  /** Refusals, printed on standard error. */
  readonly problems?: readonly Problem[];
}

/**
 * One row of the table from which the parser, the help, the completion and docs/cli.md
 * are made. `run` prints nothing; it may throw a SutureError, which is printed.
 */
export interface Command<Table extends Options = Options, Name extends DocumentName = DocumentName> {
  /** One or two words, for instance `kernel fetch`. */
  readonly name: Name;
  /** One line. */
  readonly summary: string;
  /** More than the summary says; paragraphs. */
  readonly description?: string;
  readonly arguments: readonly Argument[];
  readonly options: Table;
  readonly run: (given: Given<Table>, context: Context) => Promise<Outcome<Json<Name>>>;
}

/** A row of the table, its `run` typed by its options and by what it may print. */
export function command<const Table extends Options, const Name extends DocumentName>(
  row: Command<Table, Name>,
): Command {
  return row as unknown as Command;
}

/** Options of every command. */
export const commonOptions = {
  json: { kind: "flag", summary: "print one JSON document on standard output, and nothing else there" },
  quiet: { kind: "flag", short: "q", summary: "show no progress" },
} as const satisfies Options;
