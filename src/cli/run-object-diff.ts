import { objectDiff } from "../diff/object-diff.ts";
import { readElf } from "../elf/read.ts";
import { EXIT } from "../lib/error.ts";
import { readGivenFile } from "../lib/read-file.ts";
import { checkOutput, replaceFile } from "../lib/replace-file.ts";
import { diffedObject } from "../link/diffed-object.ts";
import { symversFrom } from "../subject/kernel/symvers.ts";
import type { Outcome } from "./command.ts";
import type { Json } from "./documents.ts";
import { kernelTraits } from "./kernel-traits.ts";
import { linkedObject } from "./linked-object.ts";
import { exitCodeOf, type ObjectDiffReport, objectDiffLines, objectDiffReport } from "./object-diff-report.ts";

/**
 * What was typed: paths of two objects of one unit, and of what tells of the linked
 * object. What is undefined is not checked.
 */
export interface ObjectDiffRequest {
  readonly originalPath: string;
  readonly patchedPath: string;
  /** Bytes of the kernel's structs, by name. */
  readonly sizes: Readonly<Record<string, number>>;
  /** What `readelf -sW` prints for the linked object. */
  readonly symbols: string | undefined;
  /** A Module.symvers. */
  readonly symvers: string | undefined;
  /** Where to write the diffed object. */
  readonly output: string | undefined;
}

/**
 * Writes `output` only where something changes and nothing is refused. Throws
 * `SYMBOLS_UNREADABLE`, and what reading the other files and `checkOutput` throw.
 */
export async function runObjectDiff(
  request: ObjectDiffRequest,
  signal: AbortSignal,
): Promise<Outcome<Json<"object-diff">>> {
  const { symbols, symvers, output } = request;
  const { originalPath, patchedPath } = request;
  const inputs = [originalPath, patchedPath, symbols, symvers].filter((path) => path !== undefined);
  if (output !== undefined) await checkOutput(output, inputs);
  const original = readElf(await readGivenFile(originalPath, { signal }), originalPath);
  const patched = readElf(await readGivenFile(patchedPath, { signal }), patchedPath);
  const linked = symbols === undefined ? undefined : linkedObject(await latin1(symbols, signal), symbols);
  const exported = symvers === undefined ? undefined : symversFrom(await latin1(symvers, signal), symvers);
  const diff = objectDiff(original, patched, request.sizes, kernelTraits(original, patched, linked));
  const report = objectDiffReport(diff, linked, exported);
  if (output === undefined || exitCodeOf(report) !== EXIT.done) return outcomeOf(report);
  const object = diffedObject(diff.selection);
  const refusals = object.refusals.map(({ code, what, where, hint }) => ({ code, what, where, hint }));
  if (refusals.length > 0) return outcomeOf({ ...report, refusals });
  await replaceFile(output, object.write());
  return outcomeOf(report);
}

function outcomeOf(report: ObjectDiffReport): Outcome<Json<"object-diff">> {
  return { exit: exitCodeOf(report), json: report, lines: objectDiffLines(report), problems: report.refusals };
}

/** Names in these files are bytes, of no one encoding. */
async function latin1(path: string, signal: AbortSignal): Promise<string> {
  return (await readGivenFile(path, { signal })).toString("latin1");
}
