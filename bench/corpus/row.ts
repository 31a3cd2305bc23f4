/** What a run finds out about one file of a corpus. */
import type { PatchMetadata } from "../../src/patch/metadata.ts";
import type { Refusal } from "../../src/patch/refusal.ts";
import type { BuildOutcome, BuildRun } from "./build-command.ts";

export interface CorpusFile {
  readonly file: string;
  /** `vmlinux` or `module`. */
  readonly object: string;
  /** What the reference makes of the file; empty where there is none. */
  readonly reference: string;
}

export type Outcome = "built" | "refused" | "no-change" | "needs-others" | "crashed";

/** What a build came to, without what only the livepatch itself needs to hold. */
export interface Result {
  readonly outcome: Exclude<Outcome, "needs-others"> | "too-wide" | "out-of-time" | "stuck";
  /** Of the first refusal, or of the error. */
  readonly code: string;
  /** Of all refusals. */
  readonly codes: readonly string[];
  readonly reason: string;
  /** Path of the livepatch. */
  readonly livepatch?: string | undefined;
  readonly funcs: number;
  readonly objects: readonly string[];
  readonly notes: readonly string[];
  /** From the start of the process to its end. */
  readonly seconds: number;
}

export interface VmResult {
  /** `patched`: with every target that loads, before it and after it; `failed`: anything was wrong. */
  readonly kind: "patched" | "failed";
  /** Targets that do not load in the virtual machine by themselves, and why. */
  readonly unloadable: readonly string[];
  readonly wrong: readonly string[];
  readonly transitionSeconds: number | undefined;
}

/** All of these in seconds. */
export interface Timing {
  /** `suture build`, the original in the cache. */
  readonly build: number;
  /** The compile commands of original and patched, run side by side. */
  readonly compiles: number;
  readonly diffAndLink: number;
}

/** Functions of the original, over the objects that it is part of. */
export interface MatchCounts {
  readonly functions: number;
  readonly proved: number;
  readonly absent: readonly string[];
  readonly differing: readonly string[];
  /** Functions in the object's symbol table that the match says nothing about. */
  readonly unaccounted: readonly string[];
}

/** What `suture audit` says of it. */
export interface AuditResult {
  /** That are accounted for. */
  readonly differences: number;
  readonly findings: readonly { readonly kind: string; readonly what: string }[];
}

export interface Row extends CorpusFile {
  readonly alone: Result | undefined;
  /** The diff does not compile by itself. */
  readonly others?: { readonly files: readonly string[]; readonly units: number; readonly result: Result } | undefined;
  readonly vm?: VmResult | undefined;
  readonly timing?: Timing | undefined;
  readonly match?: MatchCounts | undefined;
  readonly audit?: AuditResult | undefined;
}

export function outcomeOf({ alone }: Row): Outcome | undefined {
  if (alone === undefined) return undefined;
  return needsOthers(alone) ? "needs-others" : (alone.outcome as Outcome);
}

export function needsOthers(alone: Result): boolean {
  return alone.outcome === "refused" && alone.codes.includes("DOES_NOT_COMPILE");
}

/** The livepatch that was built of a file, by itself or with others. */
export function livepatchOf(row: Row): string | undefined {
  return row.alone?.livepatch ?? row.others?.result.livepatch;
}

export function resultOf({ outcome, seconds }: BuildRun): Result {
  return { ...described(outcome), seconds };
}

const NOTHING = { code: "", codes: [], reason: "", funcs: 0, objects: [], notes: [] } as const;

function described(outcome: BuildOutcome): Omit<Result, "seconds"> {
  switch (outcome.kind) {
    case "built": {
      const { objects, notes } = outcome.metadata;
      return {
        ...NOTHING,
        outcome: "built",
        livepatch: outcome.path,
        funcs: funcsOf(outcome.metadata),
        objects: objects.map(({ name }) => name),
        notes: notes.map(({ code }) => code),
      };
    }
    case "refused":
      return { ...NOTHING, outcome: "refused", ...reasonOf(outcome.refusals) };
    case "no-change":
      return { ...NOTHING, outcome: "no-change" };
    case "crashed":
      return { ...NOTHING, outcome: "crashed", code: outcome.code, codes: [outcome.code], reason: outcome.what };
  }
}

function reasonOf(refusals: readonly Refusal[]): Pick<Result, "code" | "codes" | "reason"> {
  const [first] = refusals;
  const line = first?.what.split("\n").find((each) => /\berror:/.test(each)) ?? first?.what ?? "";
  return { code: first?.code ?? "", codes: refusals.map(({ code }) => code), reason: line };
}

function funcsOf({ objects }: PatchMetadata): number {
  return objects.reduce((sum, { funcs }) => sum + funcs.length, 0);
}
