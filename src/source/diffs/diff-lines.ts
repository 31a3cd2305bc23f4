/** A diff's own lines, out of the mail, the log or the terminal's colours that they came in. */
import { SutureError } from "../../lib/error.ts";
import { gitNames } from "./git-names.ts";

/** What git and diff write outside hunks. */
const HEADER =
  /^(diff --git |diff -r |Index: |index |old mode |new mode |deleted file |new file |(dis)?similarity |rename |copy )/;

/** Counts of old and new lines; 1 where they are left out. */
const HUNK = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/;

/** What begins lines of forms that are no unified diff, or tells of a change that is not in it. */
const UNREADABLE: readonly (readonly [RegExp, string])[] = [
  [/^@@@+ /, "it is a combined diff of a merge, which has no one original"],
  [/^diff --(cc|combined) /, "it is a combined diff of a merge, which has no one original"],
  [/^\*{15}/, "it is a context diff"],
  [/^Only in .+: ./, "files that are in one tree alone were left out (diff -N has them)"],
  [/^(Files|Symbolic links) .+ and .+ differ$/, "it says that files differ, and not how"],
  [/^File .+ is an? .+ while file .+ is an? .+$/, "a file becomes one of another type"],
  [/^Binary file .+ has changed$/, "a binary file changes (hg diff --git has it)"],
  [/^Cannot display: file marked as a binary type/, "a binary file changes (svn diff --git has it)"],
  [/^==== .+ ====$/, "it is a diff of Perforce's own form"],
  [/^Submodule \S+ ([\da-f]+\.{2,3}[\da-f]+|contains )/, "a submodule changes"],
  [/^\* Unmerged path ./, "it is of a merge that is not done"],
];

/** What GNU diff says of a file that is not text. */
const BINARY = /^Binary files (.+) and (.+) differ$/;

/**
 * The lines of the diff itself: no commentary, no signature behind the last hunk.
 * Where a line could be a change that would be lost, the diff is refused: a fix
 * is never taken by half.
 *
 * Throws `DIFF_MALFORMED`, `DIFF_BINARY`.
 */
export function ownLines(name: string, text: string): string {
  const own: string[] = [];
  let [old, now] = [0, 0];
  let before: "prose" | "names" | "hunk" = "prose";
  const lines = withoutColour(withUnixLines(text)).split("\n");
  for (const [i, line] of lines.entries()) {
    if (old > 0 || now > 0) {
      if (line.startsWith("-")) old--;
      else if (line.startsWith("+")) now--;
      else if (!line.startsWith("\\")) [old, now] = [old - 1, now - 1];
      own.push(line);
      continue;
    }
    const at = `line ${i + 1}`;
    const hunk = HUNK.exec(line);
    const isName = line.startsWith("--- ") && lines[i + 1]?.startsWith("+++ ") === true;
    const isSecondName = line.startsWith("+++ ") && lines[i - 1]?.startsWith("--- ") === true;
    if (hunk !== null) {
      if (before === "prose") throw malformed(name, `the hunk of ${at} does not say which file it is for`);
      [old, now] = [Number(hunk[1] ?? 1), Number(hunk[2] ?? 1)];
      before = "hunk";
      own.push(line);
    } else if (isName || isSecondName) {
      if (isName && !isNameOf(line, openHeader(own))) own.push(...missingNames(own));
      before = "names";
      own.push(line);
    } else if (HEADER.test(line) || (line.startsWith("\\ ") && before === "hunk")) {
      if (line.startsWith("diff ") || line.startsWith("Index: ")) own.push(...missingNames(own));
      own.push(line);
    } else if (line === "GIT binary patch" || BINARY.test(line)) {
      own.push(...(isOfGit(own) ? ["Binary files differ"] : [...missingNames(own), ...binaryFile(name, line)]));
    } else {
      const unreadable = UNREADABLE.find(([form]) => form.test(line));
      if (unreadable !== undefined) throw malformed(name, `${at}: ${unreadable[1]}`);
      if (line.startsWith("@@")) throw malformed(name, `${at} is no header of a hunk`);
      if (before === "hunk" && /^[-+ ]/.test(line) && !/^-- ?$/.test(line))
        throw malformed(name, `a hunk goes on in ${at}, behind the lines that its header counts`);
      if (before === "names") throw malformed(name, `${at} is no header of a hunk`);
      // Blank lines between the last hunk and its rest hide nothing.
      if (line !== "") before = "prose";
    }
  }
  own.push(...missingNames(own));
  return `${own.join("\n")}\n`;
}

/** Whether the lines so far end within what git says of one file. */
function isOfGit(own: readonly string[]): boolean {
  return openHeader(own) !== undefined;
}

/** The line with which git has begun to tell of a file, as long as no text of it has come. */
function openHeader(own: readonly string[]): string | undefined {
  const last = own.findLast((line) => /^(diff |Index: |--- |@@ )/.test(line));
  return last?.startsWith("diff --git ") === true ? last : undefined;
}

/** Whether the text that begins here may be of the file that the header tells of. */
function isNameOf(line: string, header: string | undefined): boolean {
  const names = gitNames(header ?? "");
  const name = line.slice("--- ".length).split("\t", 1)[0];
  return names === undefined || name === names.old || name === "/dev/null";
}

/** What changes without any text of it (a mode, all of an empty file, a binary one) has its names in its header alone. */
function missingNames(own: readonly string[]): string[] {
  const names = gitNames(openHeader(own) ?? "");
  return names === undefined ? [] : [`--- ${names.old}`, `+++ ${names.now}`];
}

/** As git would tell of it; `DIFF_BINARY` where blanks hide which names they are. */
function binaryFile(name: string, line: string): string[] {
  const [, old, now] = BINARY.exec(line) ?? [];
  if (old !== undefined && now !== undefined && !/\s/.test(old + now))
    return [`diff --git ${old} ${now}`, "Binary files differ", `--- ${old}`, `+++ ${now}`];
  throw new SutureError("DIFF_BINARY", "the diff changes a binary file, and does not say clearly which", {
    where: name,
    hint: "leave its part out of the diff, if it is of no code",
  });
}

/** Lines that all end in CR LF were made so on the way here. */
function withUnixLines(text: string): string {
  const lines = text.split("\n");
  const last = lines.at(-1);
  const whole = last === "" ? lines.slice(0, -1) : lines;
  const isWindows = whole.length > 0 && whole.every((line) => line.endsWith("\r"));
  return isWindows ? text.replaceAll("\r\n", "\n") : text;
}

/** As `git diff --color` writes for terminals: only where the headers have colours too, so that it is no part of a source. */
function withoutColour(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for.
  const isColoured = /^\u001b\[[\d;]*m(diff |--- |@@ )/m.test(text);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for.
  return isColoured ? text.replace(/\u001b\[[\d;]*[mK]/g, "") : text;
}

/** `DIFF_MALFORMED`; of `why` the first line is told. */
export function malformed(name: string, why: string): SutureError {
  return new SutureError("DIFF_MALFORMED", `not a unified diff: ${why.split("\n", 1)[0]}`, {
    where: name,
    hint: "give a unified diff, for instance of git diff, git show or diff -u",
  });
}
