import type { Command } from "../command.ts";
import {
  type Completion,
  completionOf,
  firstWords,
  groupsOf,
  optionsOf,
  quoted,
  spelled,
  verbsOf,
} from "./table-words.ts";

/**
 * The script for bash, of version 4 or later. Words that suture is asked for are
 * compared one by one: `compgen -W` would expand what is in them.
 */
export function bashScript(table: readonly Command[]): string {
  const first = [...firstWords(table).map(({ word }) => word), "--help", "--version"].join(" ");
  return [
    "_suture() {",
    "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} name=${COMP_WORDS[1]}",
    "  local words= values= asked= choices= each",
    "  COMPREPLY=()",
    '  if [ "$COMP_CWORD" -eq 1 ]; then',
    `    COMPREPLY=($(compgen -W ${quoted(first)} -- "$word")); return`,
    "  fi",
    "  case $name in",
    ...groupsOf(table).flatMap((group) => [
      `  ${group})`,
      `    if [ "$COMP_CWORD" -eq 2 ]; then`,
      `      COMPREPLY=($(compgen -W ${quoted(
        verbsOf(table, group)
          .map(({ word }) => word)
          .join(" "),
      )} -- "$word")); return`,
      "    fi",
      `    name="$name \${COMP_WORDS[2]}" ;;`,
    ]),
    "  esac",
    '  case "$name" in',
    ...table.flatMap(commandCase),
    "  esac",
    '  if [ -z "$asked" ]; then',
    '    case $word in -*) COMPREPLY=($(compgen -W "$words" -- "$word")); return ;; esac',
    "    asked=$values",
    "  fi",
    "  case $asked in",
    '  directory) COMPREPLY=($(compgen -d -- "$word")) ;;',
    '  file) COMPREPLY=($(compgen -f -- "$word")) ;;',
    '  choices) COMPREPLY=($(compgen -W "$choices" -- "$word")) ;;',
    "  none | '') ;;",
    "  *)",
    "    while read -r each _; do",
    '      if [[ $each == "$word"* ]]; then COMPREPLY+=("$each"); fi',
    '    done < <("${COMP_WORDS[0]}" completion "$asked" 2> /dev/null) ;;',
    "  esac",
    "}",
    "complete -o filenames -F _suture suture",
    "",
  ].join("\n");
}

/** Sets what may be here: `words` that begin with a dash, `values` for what an argument may be, `asked` for an option's value. */
function commandCase(row: Command): string[] {
  const options = optionsOf(row);
  const [argument] = row.arguments;
  const choices = argument === undefined ? undefined : argument.choices;
  return [
    `  ${quoted(row.name)})`,
    `    words=${quoted([...options.flatMap(spelled), "--help"].join(" "))}`,
    ...(choices === undefined ? [] : [`    choices=${quoted(choices.join(" "))}`]),
    ...(argument === undefined ? [] : [`    values=${valuesOf(completionOf(argument))}`]),
    "    case $before in",
    ...options.flatMap((option) =>
      option.kind === "flag" ? [] : [`    ${spelled(option).join(" | ")}) asked=${valuesOf(completionOf(option))} ;;`],
    ),
    "    esac ;;",
  ];
}

function valuesOf(completion: Completion): string {
  return completion.kind === "words" ? completion.words : completion.kind;
}
