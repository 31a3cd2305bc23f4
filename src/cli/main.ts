import { basename } from "node:path";
import { Cache } from "../lib/cache.ts";
import { EXIT, formatError, formatProblem, problemOf, SutureError } from "../lib/error.ts";
import { catchInterrupts } from "../lib/interrupt.ts";
import { LastTimes } from "../lib/last-times.ts";
import { printableJson, printableLine } from "../lib/printable.ts";
import { ProgramMissing } from "../lib/program-missing.ts";
import { progressTo, silentProgress } from "../lib/progress.ts";
import { outcomeByDaemon } from "./by-daemon.ts";
import type { Context, Outcome } from "./command.ts";
import { commands } from "./commands.ts";
import type { DocumentName, Json } from "./documents.ts";
import { type Parsed, parse } from "./parse.ts";

process.stdout.on("error", endUnread);
process.stderr.on("error", endUnread);
process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  let parsed: Parsed;
  try {
    parsed = parse(commands, argv);
  } catch (error) {
    return await fail(error, argv.includes("--json"));
  }
  if (parsed.kind === "print") {
    process.stdout.write(parsed.text);
    return EXIT.done;
  }
  const interrupts = catchInterrupts();
  const { signal } = interrupts;
  const shown = parsed.json || parsed.quiet ? silentProgress : progressTo(process.stderr);
  const cache = new Cache();
  const progress = new LastTimes(shown, () => cache.kind("times"));
  let exit: number;
  try {
    const context: Context = { commands, cache, progress, signal, json: parsed.json, taker: "command" };
    const { command, given } = parsed;
    const outcome = (await outcomeByDaemon(command, given, signal)) ?? (await command.run(given, context));
    progress.done();
    await print(outcome, parsed.json ? parsed.command.name : undefined);
    exit = outcome.exit;
  } catch (error) {
    progress.forget();
    progress.done();
    exit = await fail(error, parsed.json);
  }
  interrupts.pass();
  return exit;
}

/** @param name the document's, where one is to be printed */
async function print(outcome: Outcome<Json>, name: DocumentName | undefined): Promise<void> {
  if (name !== undefined) await printJson(name, outcome.json);
  else if (outcome.lines.length > 0) process.stdout.write(`${outcome.lines.map(printableLine).join("\n")}\n`);
  if (outcome.screens !== undefined) {
    const { showScreens } = await import("./screens.ts");
    await showScreens(outcome.screens, process.stdout);
  }
  for (const problem of outcome.problems ?? []) printProblem(formatProblem(problem));
  await outcome.goesOn?.();
}

async function fail(thrown: unknown, json: boolean): Promise<number> {
  const error = thrown instanceof ProgramMissing ? await withPackage(thrown) : thrown;
  if (json) await printJson("error", { error: problemOf(error) });
  printProblem(formatError(error));
  return error instanceof SutureError ? error.exit : EXIT.environment;
}

/** As an error says it whose hint is how this machine's distribution installs the program. */
async function withPackage(error: ProgramMissing): Promise<SutureError> {
  const { distribution } = await import("../provider/registry/distributions.ts");
  const { code, message, where, hint } = error;
  const command = await distribution().toInstall(basename(error.program));
  return new SutureError(code, message, { where, hint: command ?? hint, cause: error });
}

async function printJson(name: DocumentName, value: Json): Promise<void> {
  const { documentOf } = await import("./documents.ts");
  process.stdout.write(`${printableJson(JSON.stringify(documentOf(name, value), undefined, 2))}\n`);
}

function printProblem(lines: readonly string[]): void {
  process.stderr.write(`${lines.join("\n")}\n`);
}

/** Where whoever read our output has gone there is nothing left to say; else it was lost, which is said in one line. */
function endUnread(this: NodeJS.WriteStream, error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") process.exit(EXIT.done);
  if (this === process.stdout)
    process.stderr.write(`OUTPUT_NOT_WRITABLE: cannot write to standard output: ${error.code}\n`);
  process.exit(EXIT.environment);
}
