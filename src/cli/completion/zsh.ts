import type { Command } from "../command.ts";
import {
  type Completion,
  completionOf,
  firstWords,
  groupsOf,
  type NamedOption,
  optionsOf,
  quoted,
  verbsOf,
} from "./table-words.ts";

/** The script for zsh: a file of $fpath, as `_suture`, or read by `source`. */
export function zshScript(table: readonly Command[]): string {
  return [
    "#compdef suture",
    "",
    "_suture_words() {",
    "  local -a found",
    "  local each",
    '  for each in ${(f)"$(suture completion $1 2> /dev/null)"}; do',
    "    found+=(\"${${each%%$'\\t'*}//:/\\\\:}:${each#*$'\\t'}\")",
    "  done",
    "  _describe $1 found",
    "}",
    "",
    "_suture() {",
    "  local -a offered",
    "  local name",
    "  if (( CURRENT == 2 )); then",
    `    offered=(${described(firstWords(table))})`,
    "    _describe command offered",
    "    return",
    "  fi",
    "  name=$words[2]",
    "  case $name in",
    ...groupsOf(table).flatMap((group) => [
      `  ${group})`,
      "    if (( CURRENT == 3 )); then",
      `      offered=(${described(verbsOf(table, group))})`,
      "      _describe command offered",
      "      return",
      "    fi",
      '    name="$name $words[3]"',
      "    shift words",
      "    (( CURRENT-- )) ;;",
    ]),
    "  esac",
    "  shift words",
    "  (( CURRENT-- ))",
    "  case $name in",
    ...table.flatMap((row) => [`  ${quoted(row.name)})`, `    _arguments -s ${specs(row).join(" ")} ;;`]),
    "  esac",
    "}",
    "",
    "# By `source` it is taught; out of $fpath it is what is called.",
    'if [[ $funcstack[1] == _suture ]]; then _suture "$@"; else compdef _suture suture; fi',
    "",
  ].join("\n");
}

function described(words: readonly { readonly word: string; readonly summary: string }[]): string {
  return words.map(({ word, summary }) => quoted(`${word}:${summary}`)).join(" ");
}

function specs(row: Command): string[] {
  const last = row.arguments.length - 1;
  const positional = row.arguments.map((argument, at) => {
    const place = at === last && argument.many === true ? "*" : String(at + 1);
    const optional = place !== "*" && argument.optional === true ? ":" : "";
    return quoted(`${place}:${optional}${escaped(argument.name)}:${actionOf(completionOf(argument))}`);
  });
  return [...optionsOf(row).flatMap(optionSpecs), ...positional];
}

/** One for each spelling; each rules out the other unless it may come again. */
function optionSpecs(option: NamedOption): string[] {
  const isMany = option.kind !== "flag" && option.many === true;
  const value = option.kind === "flag" ? "" : `:${escaped(option.value)}:${actionOf(completionOf(option))}`;
  const spellings = option.short === undefined ? [`--${option.long}`] : [`-${option.short}`, `--${option.long}`];
  const before = isMany ? "*" : `(${spellings.join(" ")})`;
  return spellings.map((each) => quoted(`${before}${each}[${escaped(option.summary)}]${value}`));
}

function actionOf(completion: Completion): string {
  switch (completion.kind) {
    case "file":
      return "_files";
    case "directory":
      return "_files -/";
    case "choices":
      return `(${completion.choices.join(" ")})`;
    case "words":
      return `{_suture_words ${completion.words}}`;
    case "none":
      return "";
  }
}

function escaped(text: string): string {
  return text.replace(/[\\:[\]]/g, "\\$&");
}
