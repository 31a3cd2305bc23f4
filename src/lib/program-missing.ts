import { SutureError } from "./error.ts";

/**
 * A program that suture runs is not there: `PROGRAM_MISSING`. Which package has it
 * is its distribution's to know, and is said where the error is printed.
 */
export class ProgramMissing extends SutureError {
  /** As it is called in PATH. */
  readonly program: string;

  /** @param kind what is special about the one that is needed, before its name */
  constructor(
    program: string,
    { kind = "the program", cause }: { readonly kind?: string; readonly cause?: unknown } = {},
  ) {
    super("PROGRAM_MISSING", `${kind} ${program} is needed and is not there`, {
      where: `looked for in PATH=${process.env["PATH"] ?? ""}`,
      hint: `install ${program}`,
      cause,
    });
    this.program = program;
  }
}
