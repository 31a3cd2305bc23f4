import { type Argument, type Command, commonOptions, type Options, type ValueKind } from "./command.ts";

/** A shell for which there is a script; zsh takes bash's, by its own bashcompinit. */
export type Shell = "bash" | "zsh" | "fish";

/** The script that teaches a shell the words of the table. */
export function completionScript(shell: Shell, table: readonly Command[]): string {
  switch (shell) {
    case "bash":
      return bashScript(table);
    case "zsh":
      return `#compdef suture\nautoload -U +X bashcompinit && bashcompinit\n${bashScript(table)}`;
    case "fish":
      return fishScript(table);
  }
}

function bashScript(table: readonly Command[]): string {
  const firstWords = [...new Set(table.map((row) => row.name.split(" ")[0]))];
  const groups = firstWords
    .map((group) => ({ group, verbs: verbsOf(table, group as string) }))
    .filter(({ verbs }) => verbs.length > 0);
  return [
    "_suture() {",
    "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} name=${COMP_WORDS[1]}",
    "  local words= values= choices=",
    "  COMPREPLY=()",
    '  if [ "$COMP_CWORD" -eq 1 ]; then',
    `    COMPREPLY=($(compgen -W ${quoted([...firstWords, "--help", "--version"].join(" "))} -- "$word")); return`,
    "  fi",
    "  case $name in",
    ...groups.flatMap(({ group, verbs }) => [
      `  ${group})`,
      `    if [ "$COMP_CWORD" -eq 2 ]; then COMPREPLY=($(compgen -W ${quoted(verbs.join(" "))} -- "$word")); return; fi`,
      `    name="$name \${COMP_WORDS[2]}" ;;`,
    ]),
    "  esac",
    '  case "$name" in',
    ...table.flatMap((row) => bashCase(row)),
    "  esac",
    "  case $values in",
    '  directory) COMPREPLY=($(compgen -d -- "$word")); return ;;',
    '  file) COMPREPLY=($(compgen -f -- "$word")); return ;;',
    "  none) return ;;",
    "  esac",
    '  case $word in -*) COMPREPLY=($(compgen -W "$words" -- "$word")); return ;; esac',
    '  COMPREPLY=($(compgen -W "$choices" -- "$word"))',
    "}",
    "complete -o filenames -F _suture suture",
    "",
  ]
    .join("\n")
    .replace("local words= values= choices=", "local words= values= choices=");
}

function bashCase(row: Command): string[] {
  const options: Options = { ...row.options, ...commonOptions };
  const takesValue = Object.entries(options).flatMap(([long, option]) =>
    option.kind === "flag"
      ? []
      : [`      ${spelled(long, option.short).join("|")}) values=${bashValues(option.kind)} ;;`],
  );
  const words = Object.entries(options).flatMap(([long, option]) => spelled(long, option.short));
  const [argument] = row.arguments;
  return [
    `  ${quoted(row.name)})`,
    `    words=${quoted([...words, "--help"].join(" "))}`,
    ...(argument?.choices === undefined ? [] : [`    choices=${quoted(argument.choices.join(" "))}`]),
    "    case $before in",
    ...takesValue,
    ...(isPath(argument) ? [`      *) case $word in -*) ;; *) values=${bashValues(argument.kind)} ;; esac ;;`] : []),
    "    esac ;;",
  ];
}

function bashValues(kind: ValueKind): string {
  return kind === "file" || kind === "directory" ? kind : "none";
}

function fishScript(table: readonly Command[]): string {
  const lines = ["complete -c suture -f"];
  const groups = new Set<string>();
  for (const row of table) {
    const [group = "", verb] = row.name.split(" ");
    const summary = verb === undefined ? row.summary : verbsOf(table, group).join(", ");
    if (!groups.has(group)) lines.push(`complete -c suture -n __fish_use_subcommand -a ${group} -d ${quoted(summary)}`);
    groups.add(group);
    if (verb !== undefined) {
      const unless = `not __fish_seen_subcommand_from ${verbsOf(table, group).join(" ")}`;
      const when = quoted(`__fish_seen_subcommand_from ${group}; and ${unless}`);
      lines.push(`complete -c suture -n ${when} -a ${verb} -d ${quoted(row.summary)}`);
    }
    const seen = row.name.split(" ").map((word) => `__fish_seen_subcommand_from ${word}`);
    const when = `complete -c suture -n ${quoted(seen.join("; and "))}`;
    for (const [long, option] of Object.entries({ ...row.options, ...commonOptions } as Options)) {
      const short = option.short === undefined ? "" : ` -s ${option.short}`;
      const value =
        option.kind === "flag" ? "" : option.kind === "file" || option.kind === "directory" ? " -r -F" : " -x";
      lines.push(`${when} -l ${long}${short}${value} -d ${quoted(option.summary)}`);
    }
    const [argument] = row.arguments;
    if (argument?.choices !== undefined) lines.push(`${when} -a ${quoted(argument.choices.join(" "))}`);
    else if (isPath(argument)) lines.push(`${when} -F`);
  }
  return `${lines.join("\n")}\n`;
}

function verbsOf(table: readonly Command[], group: string): string[] {
  return table.flatMap((row) => (row.name.startsWith(`${group} `) ? [row.name.slice(group.length + 1)] : []));
}

function spelled(long: string, short: string | undefined): string[] {
  return short === undefined ? [`--${long}`] : [`-${short}`, `--${long}`];
}

function isPath(argument: Argument | undefined): argument is Argument {
  return argument?.kind === "file" || argument?.kind === "directory";
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
