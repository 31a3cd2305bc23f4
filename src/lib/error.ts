/** Exit codes of every command. */
export const EXIT = { done: 0, environment: 1, refused: 2, noChange: 3 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

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
  readonly code: string;
  readonly where: string | undefined;
  readonly hint: string | undefined;
  readonly exit: ExitCode;

  constructor(code: string, what: string, detail: ErrorDetail = {}) {
    super(what, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = "SutureError";
    this.code = code;
    this.where = detail.where;
    this.hint = detail.hint;
    this.exit = detail.exit ?? EXIT.environment;
  }
}
