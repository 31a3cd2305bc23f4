import { Cache } from "../lib/cache.ts";
import { EXIT, formatError, formatProblem, problemOf, SutureError } from "../lib/error.ts";
import { catchInterrupts } from "../lib/interrupt.ts";
import { progressTo, silentProgress } from "../lib/progress.ts";
import type { Outcome } from "./command.ts";
import { commands } from "./commands.ts";
import { type Parsed, parse } from "./parse.ts";

process.stdout.on("error", endWithReader);
process.stderr.on("error", endWithReader);
process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  let parsed: Parsed;
  try {
    parsed = parse(commands, argv);
  } catch (error) {
    return fail(error, argv.includes("--json"));
  }
  if (parsed.kind === "print") {
    process.stdout.write(parsed.text);
    return EXIT.done;
  }
  const signal = catchInterrupts();
  const progress = parsed.json || parsed.quiet ? silentProgress : progressTo(process.stderr);
  try {
    const context = { commands, cache: new Cache(), progress, signal };
    const outcome = await parsed.command.run(parsed.given, context);
    progress.done();
    print(outcome, parsed.json);
    return outcome.exit;
  } catch (error) {
    progress.done();
    return fail(error, parsed.json);
  }
}

function print(outcome: Outcome, json: boolean): void {
  if (json) printJson(outcome.json);
  else if (outcome.lines.length > 0) process.stdout.write(`${outcome.lines.join("\n")}\n`);
  for (const problem of outcome.problems ?? []) printProblem(formatProblem(problem));
}

function fail(error: unknown, json: boolean): number {
  if (json) printJson({ error: problemOf(error) });
  printProblem(formatError(error));
  return error instanceof SutureError ? error.exit : EXIT.environment;
}

function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}

function printProblem(lines: readonly string[]): void {
  process.stderr.write(`${lines.join("\n")}\n`);
}

/** Whoever read our output has gone: there is nothing left to say. */
function endWithReader(error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") process.exit(EXIT.done);
  throw error;
}
