/**
 * What a livepatch can be built for. build.ts has the steps, which are the same
 * for all; here is what they ask of each.
 */
import type { ObjectDiff } from "../diff/object-diff.ts";
import type { DiffOptions } from "../diff/options.ts";
import type { Unit as ObjectUnit } from "../diff/unit.ts";
import type { ElfFile } from "../elf/model.ts";
import type { Findings } from "../patch/findings.ts";
import type { CommonMetadata } from "../patch/metadata.ts";
import type { Refusal } from "../patch/refusal.ts";
import type { Compiler } from "../provider/toolchain/compiler.ts";
import type { ChangedFile, DiffInput } from "../source/diffs/diff-input.ts";
import type { DiffText } from "../source/diffs/diff-parse.ts";
import type { TreeView } from "../source/tree.ts";
import type { LinkedDiff } from "./across-units.ts";
import type { CompileResult } from "./compile-result.ts";
import type { LivepatchRequest } from "./request.ts";
import type { Stopwatch } from "./stopwatch.ts";

/** How a build is done, whatever it is a build of. */
export interface Run extends Pick<LivepatchRequest, "cache" | "jobs" | "progress" | "signal"> {
  readonly watch: Stopwatch;
}

/** A translation unit. */
export interface SourceUnit {
  /** Relative to the source tree. */
  readonly source: string;
}

/** A unit's diff for one object that it is part of. */
export interface UnitDiff<Unit extends SourceUnit = SourceUnit> {
  readonly unit: Unit;
  readonly diff: ObjectDiff;
  /** That it was made with. */
  readonly options: DiffOptions;
}

/** A unit, both sides of the diff compiled with a section for each function and with its types. */
export interface CompiledPair<Unit extends SourceUnit> {
  readonly unit: Unit;
  readonly originalFile: ElfFile;
  readonly patchedFile: ElfFile;
}

/** Units to be compiled, each once, and what is to be said of what the diff changes beside them. */
export interface AffectedUnits<Unit extends SourceUnit> extends Partial<Findings> {
  readonly units: readonly Unit[];
}

/** Where the files of the diff are to be compiled. */
export interface Workplace {
  /** Of the diff, those that it changes. */
  readonly files: readonly ChangedFile[];
  /** The tree with them in it. */
  readonly view: TreeView;
  /** An empty directory for objects. */
  readonly into: string;
}

/** A compile in a view of the tree. */
export interface InView extends Pick<Workplace, "view"> {
  /** A directory of the unit's own. */
  readonly into: string;
  /** Options, behind the unit's own. */
  readonly more?: readonly string[];
}

/** How units are compiled. */
export interface Compiling<Unit extends SourceUnit> {
  /** The directory that diffs are for, absolute. It is not written to. */
  readonly tree: string;
  /** Of one that does not compile without the diff: the end of `does not compile as it was`, and what to look at. */
  readonly asItWas: { readonly what: "shipped" | "built"; readonly hint: string };
  compilerOf(unit: Unit, signal?: AbortSignal): Promise<Compiler>;
  compileOriginal(unit: Unit, signal?: AbortSignal): Promise<CompileResult>;
  compileInView(unit: Unit, where: InView, signal?: AbortSignal): Promise<CompileResult>;
  readObject(path: string, unit: Unit): Promise<ElfFile | Refusal>;
}

/** The source side: units, and how a diff reaches them. */
export interface Subject<Unit extends SourceUnit, Each extends UnitDiff<Unit>, Metadata extends CommonMetadata>
  extends Compiling<Unit> {
  /** As a sentence calls what runs. */
  readonly kind: "kernel" | "program";
  /** Of the livepatch's file. */
  readonly suffix: ".ko" | ".o";
  /** Whether every livepatch keeps on whose code it relies: else only one that is loaded beside others is asked. */
  readonly keepsRelied: boolean;
  /** Throws what parsing and applying the diffs throws. */
  readDiffs(diffs: readonly DiffText[], strip: number | undefined): Promise<DiffInput>;
  /** @param refusalsOf is asked of one unit before very many are, by a subject that has as many */
  affectedUnits(
    input: DiffInput,
    refusalsOf: (unit: Unit) => Promise<readonly Refusal[]>,
  ): Promise<AffectedUnits<Unit>>;
  /** What there is to read of what ships can be read while compilers run. */
  openShipped(): Promise<ShippedSide<Unit, Each, Metadata>>;
}

/** The side of what runs: what originals are proved against, and new code is linked to. */
export interface ShippedSide<
  Unit extends SourceUnit,
  Each extends UnitDiff<Unit>,
  Metadata extends CommonMetadata = CommonMetadata,
> {
  readUnit(file: ElfFile): ObjectUnit;
  /** Proves each original against the objects that it is part of, and makes the object diff for each of these. */
  proveAndDiff(
    pairs: readonly CompiledPair<Unit>[],
    files: readonly ChangedFile[],
  ): Promise<{ readonly diffs: readonly Each[]; readonly findings: Findings }>;
  linkedIn(each: Each): Omit<LinkedDiff, "diff">;
  /** What else has to hold for one unit: layouts of types above all. @param own its diffs, after all units were looked at together */
  check(pair: CompiledPair<Unit>, own: readonly Each[], workplace: Workplace): Promise<Checked>;
  link(diffs: readonly Each[], wanted: Wanted<Each>): Promise<LinkResult<Metadata>>;
}

/** What was found about one unit that has been compiled, proved and diffed. */
export interface Checked extends Partial<Findings> {
  /** Whether the functions of the unit have to be switched at one moment. */
  readonly atOnce?: boolean | undefined;
}

/** What the link has to know of the request, and of other steps. */
export interface Wanted<Each> {
  /** Of the livepatch. */
  readonly name: string;
  /** The number that it was given. */
  readonly patchVersion: number | undefined;
  readonly replace: boolean;
  /** Names of functions of the unit that stay, and on whose code new code relies; only of diffs that have any. */
  readonly relied: ReadonlyMap<Each, readonly string[]>;
}

/** What every livepatch's metadata has from the request, or from steps before the link. */
type Known = "version" | "name" | "patchVersion" | "tool" | "replace" | "leftOut" | "diffs";

/** A livepatch that is finished but for its metadata, or why there is none. */
export type LinkResult<Metadata extends CommonMetadata> =
  | { readonly kind: "refused"; readonly refusals: readonly Refusal[] }
  | {
      readonly kind: "linked";
      readonly metadata: Omit<Metadata, Known>;
      /** The livepatch with its metadata, as JSON, in it. */
      write(metadata: Buffer): Buffer;
    };
