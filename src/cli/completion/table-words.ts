/** What the scripts of all shells ask of the table. */
import {
  type Argument,
  type Command,
  commonOptions,
  type FlagOption,
  type ValueKind,
  type ValueOption,
} from "../command.ts";
import { WORDS, type WordsName } from "./words.ts";

/** The first words of all commands, each once, with what it does or, of a group, its verbs. */
export function firstWords(table: readonly Command[]): { readonly word: string; readonly summary: string }[] {
  const names = [...new Set(table.map((row) => row.name.split(" ")[0] ?? ""))];
  return names.map((word) => {
    const verbs = verbsOf(table, word).map(({ word: verb }) => verb);
    const summary = verbs.length > 0 ? verbs.join(", ") : table.find(({ name }) => name === word)?.summary;
    return { word, summary: summary ?? "" };
  });
}

/** The second words of a group's commands; none where it is no group. */
export function verbsOf(
  table: readonly Command[],
  group: string,
): { readonly word: string; readonly summary: string }[] {
  return table.flatMap((row) =>
    row.name.startsWith(`${group} `) ? [{ word: row.name.slice(group.length + 1), summary: row.summary }] : [],
  );
}

/** All groups that have verbs. */
export function groupsOf(table: readonly Command[]): string[] {
  return firstWords(table)
    .map(({ word }) => word)
    .filter((word) => verbsOf(table, word).length > 0);
}

/** An option with its long name. */
export type NamedOption = (FlagOption | ValueOption) & { readonly long: string };

/** All that a command takes. */
export function optionsOf(row: Command): NamedOption[] {
  return Object.entries({ ...row.options, ...commonOptions }).map(([long, option]) => ({ ...option, long }));
}

/** As it is typed: `-q`, `--quiet`. */
export function spelled({ long, short }: NamedOption): string[] {
  return short === undefined ? [`--${long}`] : [`-${short}`, `--${long}`];
}

/** How a value is completed: by files, by words that are given or that suture is asked for, or not at all. */
export type Completion =
  | { readonly kind: "file" | "directory" | "none" }
  | { readonly kind: "choices"; readonly choices: readonly string[] }
  | { readonly kind: "words"; readonly words: WordsName };

/** Of an argument, or of an option's value. */
export function completionOf(value: { readonly kind: ValueKind } & Pick<Argument, "choices">): Completion {
  if (value.choices !== undefined) return { kind: "choices", choices: value.choices };
  if (value.kind === "file" || value.kind === "directory") return { kind: value.kind };
  const words = Object.entries(WORDS).find(([kind]) => kind === value.kind)?.[1];
  return words === undefined ? { kind: "none" } : { kind: "words", words };
}

/** One word of a shell, in single quotes, as bash and zsh have them. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
