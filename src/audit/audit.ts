/** A second opinion on a livepatch: what differs between original and patched, and what it does of that. */
import { readFileSync } from "node:fs";
import type { KernelLayouts } from "../btf/kernel-layouts.ts";
import type { ElfFile } from "../elf/model.ts";
import { openSymbolTable } from "../image/symbol-table.ts";
import { brought } from "../lib/brought.ts";
import type { PatchMetadata, PieceRecord } from "../patch/metadata.ts";
import type { KernelChoice } from "../provider/kernel/kernel.ts";
import { unitsOf } from "../provider/kernel/units-file.ts";
import { findCompiler } from "../provider/toolchain/compiler.ts";
import { readDiffs } from "../source/diffs/diff-input.ts";
import type { DiffText } from "../source/diffs/diff-parse.ts";
import { openKernel } from "../subject/kernel/open-kernel.ts";
import { rulesOf } from "../subject/kernel/units/file-rules.ts";
import { type Account, type AuditFinding, accountFor, type Claims, unaccountedFinding } from "./account.ts";
import { compareObjects } from "./compare.ts";
import { effectsOf } from "./file-effects.ts";
import { gatheredIn } from "./gathered.ts";
import { type PlainOptions, type PlainPair, pairsInForm, plainKernelPairs } from "./kernel-units.ts";
import { type ChangedText, lineNumbersOf, linesAsBuilt } from "./line-numbers.ts";
import { type ComparedUnit, codeFindings, codeNames, type LivepatchCode } from "./livepatch-code.ts";
import { hasMovedUnchanged } from "./moved.ts";
import { plainName, runningName } from "./names.ts";
import { PlainObject } from "./plain-object.ts";
import { runningBytesOf } from "./running-bytes.ts";

/** What an audit found: it agrees with the livepatch where there are no `findings`. */
export interface Audit {
  readonly kind: "audited";
  readonly livepatch: string;
  /** Units that were compared. */
  readonly units: readonly string[];
  /** Differences that the livepatch accounts for, and how. */
  readonly accounted: readonly {
    readonly source: string;
    readonly kind: string;
    readonly of: string;
    readonly name: string;
    readonly section: string;
    readonly reason: string;
    readonly why: string;
  }[];
  readonly findings: readonly AuditFinding[];
}

/**
 * A kernel's livepatch, and what it is said to be built from: the same diffs, in the
 * same order, and the same kernel.
 */
export interface KernelAuditRequest extends PlainOptions {
  readonly livepatch: ElfFile;
  readonly metadata: PatchMetadata;
  readonly diffs: readonly DiffText[];
  readonly strip: number | undefined;
  readonly kernel: KernelChoice;
}

/**
 * Compiles every unit that the diffs can reach as it was shipped, before and
 * after, and compares by name. Shares nothing with the object diff.
 */
export async function auditKernelLivepatch(request: KernelAuditRequest): Promise<Audit> {
  const { livepatch, metadata, cache, progress, signal } = request;
  const kernel = await openKernel(request.kernel, { cache, progress, signal });
  const input = await readDiffs(request.diffs, {
    tree: kernel.source,
    isUnit: async (path) => (await unitsOf(kernel, path)).length > 0,
    leftOut: kernel.leftOut,
    strip: request.strip,
    rules: rulesOf(kernel),
  });
  const compiler = await findCompiler(kernel, cache, signal);
  const pairs = await plainKernelPairs({ kernel, compiler }, input, request);
  const { jumpLabels, runtimeConstants } = kernel.arch.kernel.sources;
  const anew: AnewUnits[] = [];
  for (const [code, form] of [
    ["STATIC_KEYS_ASKED", jumpLabels],
    ["RUNTIME_CONSTANTS_READ", runtimeConstants],
  ] as const) {
    const pieces = piecesOf(metadata, code);
    const sources = [...new Set(pieces.map(({ source }) => source))];
    anew.push({
      pairs: await pairsInForm({ kernel, compiler }, input.files, { form, sources }, request),
      names: new Set(pieces.map(({ name }) => plainName(name))),
    });
  }
  progress.step("compare");
  const layouts = JSON.parse(readFileSync(kernel.layouts, "utf8")) as KernelLayouts;
  const symbols = openSymbolTable(readFileSync(kernel.symbols));
  const objects = new Set([
    "vmlinux",
    ...metadata.objects.map(({ name }) => name),
    ...metadata.needs.map(({ object }) => object),
  ]);
  const effects = effectsOf(livepatch, layouts.structs.klp_func, objects);
  const off = piecesOf(metadata, "TRACEPOINT_OFF");
  const code: LivepatchCode = {
    file: livepatch,
    objects,
    writes: (name) => effects.writes(name),
    running: runningBytesOf(kernel.vmlinux, symbols),
    isOff: (source, key) => off.some((piece) => piece.source === source && piece.name === key),
    own: ownFunctions(),
  };
  const claims = {
    metadata,
    objects: metadata.objects,
    effects,
    isRunning: (name: string) => symbols.byName(name).some(({ type }) => SEEN_BY_OTHER_FILES.test(type)),
  };
  const { name } = metadata;
  return audited({ name, pairs, files: input.files, code, sizes: layouts.entrySizes, claims, anew });
}

/** What the notes of one code are about. */
function piecesOf({ notes }: PatchMetadata, code: string): PieceRecord[] {
  return notes.flatMap((note) => (note.code === code ? (note.pieces ?? []) : []));
}

/** A livepatch, and all that it is held against. */
export interface AuditInput {
  /** The livepatch's. */
  readonly name: string;
  readonly pairs: readonly PlainPair[];
  readonly files: readonly ChangedText[];
  readonly code: LivepatchCode;
  readonly sizes: KernelLayouts["entrySizes"];
  /** Without what the names in the livepatch's file show. */
  readonly claims: Omit<Claims, "hasCode" | "gathered" | "binds">;
  readonly anew?: readonly AnewUnits[];
}

/** Units that were compiled in another form for the livepatch, and its functions that are theirs. */
interface AnewUnits {
  readonly pairs: readonly PlainPair[];
  readonly names: ReadonlySet<string>;
}

/** Compares the units, accounts for what differs, and then looks at the livepatch's own code. */
export function audited({ name, pairs, files, code, sizes, claims, anew = [] }: AuditInput): Audit {
  const lines = lineNumbersOf(files);
  const built = linesAsBuilt(files);
  const names = codeNames(code);
  const bound = new Set(
    code.file.symbols
      .filter(({ place }) => place.kind !== "section")
      .map((symbol) => runningName(symbol.name, code.objects) ?? symbol.name),
  );
  const gathered = gatheredIn(new PlainObject(code.file), code.objects);
  const hasCode = (each: string): boolean => names.has(each);
  const accounted: Account[] = [];
  const findings: AuditFinding[] = [];
  const unaccounted: Omit<Account, "why">[] = [];
  const units: ComparedUnit[] = [];
  for (const { source, objects, original, patched } of pairs) {
    const comparison = compareObjects(original, patched, sizes, lines);
    units.push({ source, objects, comparison, lines: built });
    const isModule = objects.length > 0 && !objects.includes("vmlinux");
    const accounting = accountFor(
      { source, isModule, comparison },
      {
        ...claims,
        hasCode,
        binds: (each) => bound.has(each),
        gathered,
      },
    );
    accounted.push(...accounting.accounted);
    unaccounted.push(...accounting.unaccounted.map((difference) => ({ source, difference })));
    findings.push(...accounting.findings);
  }
  for (const { source, difference } of unaccounted) {
    if (hasMovedUnchanged(difference, source, units))
      accounted.push({ source, difference, why: "it comes from another file, as it was there" });
    else findings.push(unaccountedFinding(source, difference));
  }
  for (const { pairs: others, names: only } of anew)
    for (const { source, original, patched } of others)
      units.push({ source, comparison: compareObjects(original, patched, sizes, lines), lines: built, only });
  findings.push(...codeFindings(code, units, sizes));
  return {
    kind: "audited",
    livepatch: name,
    units: pairs.map(({ source }) => source),
    accounted: accounted.map(({ source, difference: { kind, of, name: what, section, reason }, why }) => ({
      source,
      kind,
      of,
      name: what,
      section,
      reason,
      why,
    })),
    findings,
  };
}

const SWITCH = brought("include/suture/switch.c");

/** Functions that every module has, and those of the switch. */
function ownFunctions(): ReadonlySet<string> {
  const text = readFileSync(SWITCH, "utf8");
  const names = [...text.matchAll(/^static\b[^;=\n]*?\b(\w+)\(/gm)].map(([, name]) => name as string);
  return new Set(["init_module", "cleanup_module", ...names]);
}

/** Types of symbols that nm(1) writes in capitals, and weak ones: a static one is another file's own. */
const SEEN_BY_OTHER_FILES = /[A-Zvw]/;
