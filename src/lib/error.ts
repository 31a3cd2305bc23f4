import type { Code } from "./codes.ts";
import { printable } from "./printable.ts";

/** Exit codes of every command. */
export const EXIT = { done: 0, environment: 1, refused: 2, noChange: 3 } as const;
/** What the command ends with: the values of `EXIT`. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What an error says besides its code and sentence. Each part is short, and left out where there is nothing to say. */
export interface ErrorDetail {
  /** The place: file, section, symbol, offset, pid and tid, in the reader's terms. */
  readonly where?: string | undefined;
  /** What to do about it: a command to run or a change to make. */
  readonly hint?: string | undefined;
  /** Default `EXIT.environment`. */
  readonly exit?: ExitCode | undefined;
  readonly cause?: unknown;
}

/**
 * Broken input or a broken environment. What a livepatch cannot do is not an
 * error but a `Refusal` (src/patch/refusal.ts), which is data.
 */
export class SutureError extends Error {
  readonly code: Code;
  readonly where: string | undefined;
  readonly hint: string | undefined;
  readonly exit: ExitCode;

  constructor(code: Code, what: string, detail: ErrorDetail = {}) {
    super(what, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = "SutureError";
    this.code = code;
    this.where = detail.where;
    this.hint = detail.hint;
    this.exit = detail.exit ?? EXIT.environment;
  }
}

/** What an error and a refusal have in common: the three lines that a reader gets. */
export interface Problem {
  readonly code: string;
  readonly what: string;
  readonly where?: string | undefined;
  readonly hint?: string | undefined;
}

/**
 * The error as data. What the system says of a file is the environment's doing,
 * code `SYSTEM_ERROR`; anything else that is no `SutureError` is a defect of ours, code `INTERNAL`.
 */
export function problemOf(error: unknown): Problem {
  if (error instanceof SutureError) {
    return { code: error.code, what: error.message, where: error.where, hint: error.hint };
  }
  const system = systemProblem(error);
  if (system !== undefined) return system;
  const what = error instanceof Error ? error.message : String(error);
  const frame = error instanceof Error ? error.stack?.split("\n").find((line) => /^\s+at /.test(line)) : undefined;
  return {
    code: "INTERNAL",
    what: what === "" ? "an error without a message" : what,
    where: frame?.trim(),
    hint: "this is a defect in suture: please report it, with the command and its input",
  };
}

/**
 * `CODE: what`, then where and hint, indented by two spaces, each left out when
 * there is none. Control characters are escaped: names come from untrusted files.
 */
export function formatProblem(problem: Problem): string[] {
  const indented = [problem.where, problem.hint]
    .filter((text) => text !== undefined && text !== "")
    .flatMap((text) => printable(text as string).split("\n"))
    .map((line) => `  ${line}`);
  const [first = "", ...more] = printable(`${problem.code}: ${problem.what}`).split("\n");
  return [first, ...more.map((line) => `  ${line}`), ...indented];
}

/** `formatProblem` of any thrown value. */
export function formatError(error: unknown): string[] {
  return formatProblem(problemOf(error));
}

/** Node's error of a system call, as against one of its own (`ERR_…`). */
function systemProblem(error: unknown): Problem | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, syscall, path, message } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined || !/^E[A-Z0-9]+$/.test(code)) return undefined;
  const said = /^E[A-Z0-9]+: ([^,]+)/.exec(message)?.[1] ?? code;
  return {
    code: "SYSTEM_ERROR",
    what: `${syscall} failed: ${said} (${code})`,
    where: path,
    hint: "see to it that the file or directory is there, whole, and yours to use",
  };
}
