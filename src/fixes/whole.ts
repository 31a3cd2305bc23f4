/** Whether all of a diff is in force where its livepatch is: a livepatch may leave out what has no effect any more. */
import type { Problem } from "../lib/error.ts";
import type { CommonMetadata, Note } from "../patch/metadata.ts";
import { refusal } from "../patch/refusal.ts";

/** Left out, and missing nowhere: exit code of what is built in never runs. */
const NEVER_MISSED = new Set(["EXIT_NEVER_RUNS"]);

/** What a livepatch says that it does not do, or not for all. */
const NOT_FOR_ALL: ReadonlySet<string> = new Set([
  "COPY_STAYS",
  "NEVER_RETURNS",
  "TRANSITION_MAY_NOT_END",
  "TYPE_EXTENDED",
]);

/** Why not all of it is; undefined where all is. */
export function missingOf({
  leftOut,
  notes,
  proofs,
}: Pick<CommonMetadata, "leftOut" | "notes" | "proofs">): Problem | undefined {
  const left = leftOut.find(({ code }) => !NEVER_MISSED.has(code));
  if (left !== undefined) return { code: left.code, what: left.what, where: left.where, hint: left.hint };
  const note = notes.find(({ code }) => NOT_FOR_ALL.has(code));
  if (note !== undefined) return { code: note.code, what: note.text };
  const proved = new Set(proofs.filter((each) => each.proved > 0).map(({ source }) => source));
  const apart = notes.find((each) => isApart(each) && !proved.has(sourceOf(each)));
  if (apart === undefined) return undefined;
  const { kind: _, ...problem } = refusal(
    "NOT_PROVED_WHOLE",
    `a part of the fix is in no program that ships, as far as that can be proved: ${apart.text}`,
    sourceOf(apart),
    "install the fixed package, and restart what runs of it",
  );
  return problem;
}

/** The unit may be part of what runs all the same, compiled otherwise. */
function isApart({ code }: Note): boolean {
  return code === "NOT_IN_PROGRAM";
}

function sourceOf({ text }: Note): string {
  return text.split(" ", 1)[0] ?? "";
}

/** Documentation, tests, and what else a package has beside what it installs. */
const BESIDE =
  /(^|\/)(tests?|testing|testsuite|selftests|reg-?tests?|regress|t|docs?|Documentation|examples?|samples?|fuzz|fuzzing|benchmarks?|\.github|po|man|tools\/testing)\/|(^|\/)(README|NEWS|CHANGES|ChangeLog|AUTHORS|THANKS|COPYING|LICENSE|MAINTAINERS|TODO)[^/]*$|\.(md|rst|pod|tex|texi|[1-8](\.in)?|po)$/i;

/** Whether nothing that is installed and runs depends on a file by this path, which is no code. */
export function isBeside(path: string): boolean {
  return BESIDE.test(path);
}
