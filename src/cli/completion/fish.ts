import type { Command } from "../command.ts";
import { type Completion, completionOf, firstWords, groupsOf, optionsOf, verbsOf } from "./table-words.ts";

/** The script for fish. What suture is asked for comes with what each word means, behind a tab, as fish wants it. */
export function fishScript(table: readonly Command[]): string {
  const lines = ["complete -c suture -f"];
  for (const { word, summary } of firstWords(table))
    lines.push(`complete -c suture -n __fish_use_subcommand -a ${word} -d ${quoted(summary)}`);
  for (const group of groupsOf(table)) {
    const verbs = verbsOf(table, group);
    const unless = `not __fish_seen_subcommand_from ${verbs.map(({ word }) => word).join(" ")}`;
    const when = quoted(`__fish_seen_subcommand_from ${group}; and ${unless}`);
    for (const { word, summary } of verbs) lines.push(`complete -c suture -n ${when} -a ${word} -d ${quoted(summary)}`);
  }
  for (const row of table) lines.push(...commandLines(row));
  return `${lines.join("\n")}\n`;
}

function commandLines(row: Command): string[] {
  const seen = row.name.split(" ").map((word) => `__fish_seen_subcommand_from ${word}`);
  const when = `complete -c suture -n ${quoted(seen.join("; and "))}`;
  const options = optionsOf(row).map((option) => {
    const short = option.short === undefined ? "" : ` -s ${option.short}`;
    const value = option.kind === "flag" ? "" : ` ${valueWords(completionOf(option), "-r")}`;
    return `${when} -l ${option.long}${short}${value} -d ${quoted(option.summary)}`;
  });
  const [argument] = row.arguments;
  const completion = argument === undefined ? undefined : completionOf(argument);
  if (completion === undefined || completion.kind === "none") return options;
  return [...options, `${when} ${valueWords(completion, "")}`.trimEnd()];
}

/** @param required what says that there has to be one */
function valueWords(completion: Completion, required: string): string {
  switch (completion.kind) {
    case "file":
    case "directory":
      return `${required} -F`.trim();
    case "choices":
      return `${required} -f -a ${quoted(completion.choices.join(" "))}`.trim();
    case "words":
      return `${required} -f -a ${quoted(`(suture completion ${completion.words} 2>/dev/null)`)}`.trim();
    case "none":
      return `${required} -f`.trim();
  }
}

/** In fish's single quotes a backslash means itself unless it is before a quote or another one. */
function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
