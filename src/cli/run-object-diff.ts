import { symversFrom } from "../build/symvers.ts";
import { objectDiff } from "../diff/object-diff.ts";
import { readElf } from "../elf/read.ts";
import { EXIT } from "../lib/error.ts";
import { replaceFile } from "../lib/replace-file.ts";
import { diffedObject } from "../link/diffed-object.ts";
import type { Outcome } from "./command.ts";
import { readInput } from "./input.ts";
import { kernelTraits } from "./kernel-traits.ts";
import { linkedObject } from "./linked-object.ts";
import { exitCodeOf, type ObjectDiffReport, objectDiffLines, objectDiffReport } from "./object-diff-report.ts";

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

export async function runObjectDiff(request: ObjectDiffRequest): Promise<Outcome> {
  const { symbols, symvers, output } = request;
  const original = readElf(readInput(request.originalPath), request.originalPath);
  const patched = readElf(readInput(request.patchedPath), request.patchedPath);
  const linked = symbols === undefined ? undefined : linkedObject(latin1(symbols), symbols);
  const exported = symvers === undefined ? undefined : symversFrom(latin1(symvers), symvers);
  const diff = objectDiff(original, patched, request.sizes, kernelTraits(original, patched, linked));
  const report = objectDiffReport(diff, linked, exported);
  if (output === undefined || exitCodeOf(report) !== EXIT.done) return outcomeOf(report);
  const object = diffedObject(diff.selection);
  const refusals = object.refusals.map(({ code, what, where, hint }) => ({ code, what, where, hint }));
  if (refusals.length > 0) return outcomeOf({ ...report, refusals });
  await replaceFile(output, object.write());
  return outcomeOf(report);
}

function outcomeOf(report: ObjectDiffReport): Outcome {
  return { exit: exitCodeOf(report), json: report, lines: objectDiffLines(report), problems: report.refusals };
}

/** Names in these files are bytes, of no one encoding. */
function latin1(path: string): string {
  return readInput(path).toString("latin1");
}
