import { VERSION } from "../lib/version.ts";
import { type Command, commonOptions, type Options } from "./command.ts";

/** A man page in man(7)'s macros, UTF-8. */
export interface ManualPage {
  /** For instance `suture-load.1`. */
  readonly file: string;
  readonly text: string;
}

/**
 * suture(1), and a page for each command, made of the table.
 *
 * @param date of the sources, as in 2026-01-31
 */
export function manualPages(table: readonly Command[], date: string): ManualPage[] {
  return [overview(table, date), ...table.map((row) => commandPage(row, date))];
}

const EXIT_STATUS = [
  ".SH EXIT STATUS",
  ...tagged(bold("0"), "done"),
  ...tagged(bold("1"), "the environment or the usage is at fault"),
  ...tagged(bold("2"), "refused; nothing was changed"),
  ...tagged(bold("3"), "the diff changes no code"),
];

function overview(table: readonly Command[], date: string): ManualPage {
  const lines = [
    heading("suture", date),
    ".SH NAME",
    "suture \\- live patching for Linux, the kernel and running programs",
    ".SH SYNOPSIS",
    `${bold("suture")} ${italic("COMMAND")} [${italic("options")}] [${italic("arguments")}]`,
    ".SH DESCRIPTION",
    ...paragraphs(
      "suture turns a source diff into a livepatch: a file that a running Linux kernel takes in with no reboot, or a running program with no restart. Each command has a page of its own.",
    ),
    ".SH COMMANDS",
    ...table.flatMap((row) => tagged(reference(pageName(row)), row.summary)),
    ".SH OPTIONS",
    "Every command takes these:",
    ...optionLines(commonOptions),
    ...tagged(bold("--help"), "say what it does and what it takes"),
    ...tagged(bold("--version"), "say the version; of suture alone, with no command"),
    ...EXIT_STATUS,
    ".SH ENVIRONMENT",
    ...tagged(bold("SUTURE_CACHE"), "the directory of what can be made again; default ~/.cache/suture"),
    ...tagged(
      bold("SUTURE_ROOT"),
      "the directory that stands for / in the paths of what lasts, for an image of a system",
    ),
    ...tagged(bold("NO_COLOR"), "no colour, whatever its value"),
    ".SH FILES",
    ...tagged(italic("/etc/suture/keys"), "public keys that are trusted, a file each"),
    ...tagged(italic("/var/lib/suture"), "what is installed, and what has happened to it"),
    ...tagged(italic("/run/suture"), "the socket of the daemon"),
    ...tagged(italic("/usr/share/doc/suture"), "what is behind each command, a page a concept"),
  ];
  return { file: "suture.1", text: `${lines.join("\n")}\n` };
}

function commandPage(row: Command, date: string): ManualPage {
  const page = pageName(row);
  const words = row.arguments.map(({ name, many, optional }) => {
    const word = italic(many === true ? `${name}...` : name);
    return optional === true ? `[${word}]` : word;
  });
  const lines = [
    heading(page, date),
    ".SH NAME",
    `${plain(page)} \\- ${plain(row.summary)}`,
    ".SH SYNOPSIS",
    [bold(`suture ${row.name}`), `[${italic("options")}]`, ...words].join(" "),
    ".SH DESCRIPTION",
    ...paragraphs(row.description ?? `${row.summary[0]?.toUpperCase()}${row.summary.slice(1)}.`),
    ...(row.arguments.length === 0 ? [] : [".SH ARGUMENTS"]),
    ...row.arguments.flatMap((each) => tagged(italic(each.name), each.summary)),
    ".SH OPTIONS",
    ...optionLines({ ...row.options, ...commonOptions }),
    ...EXIT_STATUS,
    ".SH SEE ALSO",
    reference("suture"),
  ];
  return { file: `${page}.1`, text: `${lines.join("\n")}\n` };
}

function pageName(row: Command): string {
  return `suture-${row.name.replaceAll(" ", "-")}`;
}

function heading(name: string, date: string): string {
  return `.TH ${plain(name.toUpperCase())} 1 "${date}" "suture ${VERSION}" "suture"`;
}

function optionLines(options: Options): string[] {
  return Object.entries(options).flatMap(([long, option]) => {
    const value = option.kind === "flag" ? "" : ` ${italic(option.value)}`;
    const spelled = [...(option.short === undefined ? [] : [`-${option.short}`]), `--${long}`];
    const again = option.kind !== "flag" && option.many === true ? "; may be given more than once" : "";
    return tagged(spelled.map((each) => `${bold(each)}${value}`).join(", "), `${option.summary}${again}`);
  });
}

function tagged(tag: string, text: string): string[] {
  return [".TP", tag, ...textLines(text)];
}

function paragraphs(text: string): string[] {
  return text.split(/\n{2,}/).flatMap((each, at) => [...(at === 0 ? [] : [".PP"]), ...textLines(each)]);
}

/** Words in backquotes are bold. */
function textLines(text: string): string[] {
  return text.split("\n").map((line) =>
    atStart(
      line
        .split("`")
        .map((part, at) => (at % 2 === 0 ? plain(part) : bold(part)))
        .join(""),
    ),
  );
}

function reference(page: string): string {
  return `${bold(page)}(1)`;
}

function bold(text: string): string {
  return `\\fB${plain(text)}\\fR`;
}

function italic(text: string): string {
  return `\\fI${plain(text)}\\fR`;
}

/** A hyphen would be typeset as one, and could not be pasted as an option's dash. */
function plain(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("'", "\\(aq")
    .replaceAll("-", "\\-")
    .replaceAll("~", "\\(ti")
    .replaceAll("^", "\\(ha");
}

/** A text line that begins so would be taken for a request. */
function atStart(line: string): string {
  return /^[.']/.test(line) ? `\\&${line}` : line;
}
