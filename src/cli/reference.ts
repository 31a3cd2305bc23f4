import { type Command, commonOptions, type Options } from "./command.ts";

/** docs/cli.md. */
export function reference(table: readonly Command[]): string {
  const lines = [
    "# The command line",
    "",
    "Made from the table of commands in src/cli by `npm run docs`.",
    "",
    "Every command takes these options:",
    "",
    ...optionLines(commonOptions),
    "",
    "Exit codes: 0 done; 1 the environment or the usage is at fault; 2 refused, nothing was changed; 3 the diff changes no code.",
    "",
    'With `--json`, a document begins with its name and version, as in `"document": { "name": "list", "version": 1 }`; its schema is in [schemas/](schemas), by the command\'s name. New fields may come within a version. A command that ends with an error prints an `error` document: `{ "error": { "code", "what", "where", "hint" } }`.',
    ...table.flatMap(commandLines),
  ];
  return `${lines.join("\n")}\n`;
}

function commandLines(row: Command): string[] {
  const args = row.arguments.map(({ name, many, optional }) => {
    const words = many === true ? `${name}...` : name;
    return optional === true ? `[${words}]` : words;
  });
  const options = Object.keys(row.options).length === 0 ? [] : ["[options]"];
  return [
    "",
    `## suture ${row.name}`,
    "",
    "```",
    ["suture", row.name, ...options, ...args].join(" "),
    "```",
    "",
    row.description ?? `${row.summary[0]?.toUpperCase()}${row.summary.slice(1)}.`,
    ...list(row.arguments.map((each) => `- \`${each.name}\`: ${each.summary}`)),
    ...list(optionLines(row.options)),
  ];
}

function list(lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["", ...lines];
}

function optionLines(options: Options): string[] {
  return Object.entries(options).map(([long, option]) => {
    const value = option.kind === "flag" ? "" : ` ${option.value}`;
    const short = option.short === undefined ? "" : `\`-${option.short}${value}\`, `;
    const again = option.kind !== "flag" && option.many === true ? "; may be given more than once" : "";
    return `- ${short}\`--${long}${value}\`: ${option.summary}${again}`;
  });
}
