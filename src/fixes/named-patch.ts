/** A patch that has a name: one of a series, in the form that git and quilt write (DEP-3, git-format-patch). */
import type { DiffText } from "../source/diffs/diff-parse.ts";

/** One patch of a series. */
export interface NamedPatch extends DiffText {
  /** Of its file, or its subject where it has no file: what a series calls it. */
  readonly name: string;
  /** First line of its description, where it has one. */
  readonly subject: string | undefined;
  /** As `CVE-2026-1234`, in the order of their mention. */
  readonly cves: readonly string[];
  /** Ids of the commits that it is itself, by its header or by where it comes from. */
  readonly commits: readonly string[];
  /** Ids of the commits that it mends (`Fixes:`) or takes back (`This reverts commit`), as far as they are given. */
  readonly mends: readonly string[];
}

const CVE = /\bCVE-\d{4}-\d{4,}\b/gi;
const ID = /\b[0-9a-f]{12,40}\b/g;

/** @param name of its file, or undefined for the subject */
export function namedPatch(name: string | undefined, data: Uint8Array): NamedPatch {
  const header = headerOf(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("latin1"));
  const subject = subjectOf(header);
  const called = name ?? subject ?? "patch";
  const said = `${called}\n${header}`;
  const lines = header.split("\n");
  return {
    name: called,
    data,
    subject,
    cves: [...new Set([...said.matchAll(CVE)].map(([cve]) => cve.toUpperCase()))],
    commits: idsIn(
      lines.filter((line) =>
        /^(From [0-9a-f]{40} |\[ Upstream commit|commit [0-9a-f]{12,}|Origin:|\(cherry picked from)/i.test(line.trim()),
      ),
    ),
    mends: [
      ...idsIn(lines.filter((line) => /^Fixes:/i.test(line))),
      // git wraps such a sentence nowhere; others may.
      ...idsIn([...header.matchAll(/\bThis\s+reverts\s+commit\s+([0-9a-f]+)/gi)].map(([, id]) => id as string)),
    ],
  };
}

/** Whether an id of one is that of another that may be shorter. */
export function isSameCommit(a: string, b: string): boolean {
  return a.startsWith(b) || b.startsWith(a);
}

/** What stands before the first change of a file. */
function headerOf(text: string): string {
  const at = text.search(/^(diff --git |--- |Index: )/m);
  return at < 0 ? text : text.slice(0, at);
}

/** Continued lines are one; what git puts before it is none of it. */
function subjectOf(header: string): string | undefined {
  const found = /^(?:Subject|Description):[ \t]*(.*(?:\n[ \t]+\S.*)*)/im.exec(header)?.[1];
  const text = found
    ?.split("\n")
    .map((line) => line.trim())
    .join(" ")
    .replace(/^\[[^\]]*\]\s*/, "")
    .trim();
  return text === undefined || text === "" ? undefined : text.slice(0, 200);
}

function idsIn(lines: readonly string[]): string[] {
  return [...new Set(lines.flatMap((line) => line.toLowerCase().match(ID) ?? []))];
}
