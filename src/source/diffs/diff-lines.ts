/** A diff's own lines, out of the mail, the log or the terminal's colours that they came in. */
import { SutureError } from "../../lib/error.ts";

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
];

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
      before = "names";
      own.push(line);
    } else if (HEADER.test(line) || (line.startsWith("\\ ") && before === "hunk")) {
      own.push(line);
    } else if (line === "GIT binary patch" || /^Binary files .* differ$/.test(line)) {
      if (!isOfGit(own)) throw binary(name, line);
      own.push("Binary files differ");
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
  return `${own.join("\n")}\n`;
}

/** Whether the lines so far end within what git says of one file. */
function isOfGit(own: readonly string[]): boolean {
  return own.findLast((line) => /^(diff --git |--- |@@ )/.test(line))?.startsWith("diff --git ") === true;
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

function binary(name: string, line: string): SutureError {
  const file = /^Binary files (\S+) and (\S+) differ/.exec(line)?.[2];
  return new SutureError("DIFF_BINARY", `the diff changes a binary file${file === undefined ? "" : `: ${file}`}`, {
    where: name,
  });
}
