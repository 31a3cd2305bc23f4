/** Tries a set of fixes: builds one livepatch of them, and looks whether all of each is in it. */
import { join } from "node:path";
import type { LivepatchResult } from "../builder/request.ts";
import { type Problem, problemOf, SutureError } from "../lib/error.ts";
import type { CommonMetadata } from "../patch/metadata.ts";
import type { DiffText } from "../source/diffs/diff-parse.ts";
import type { Tried } from "./choose.ts";
import type { Fix } from "./fix.ts";
import type { NamedPatch } from "./named-patch.ts";
import { missingOf } from "./whole.ts";

/** A livepatch that was built of whole fixes. */
export interface BuiltFixes<Metadata extends CommonMetadata> {
  readonly path: string;
  readonly metadata: Metadata;
}

/** How sets are tried. */
export interface Attempts<Metadata extends CommonMetadata> {
  /** Builds to a file; diffs in their order. */
  readonly build: (diffs: readonly DiffText[], name: string, output: string) => Promise<LivepatchResult<Metadata>>;
  /** Of the livepatch with these fixes. */
  readonly nameOf: (patches: readonly NamedPatch[]) => string;
  /** Whether anything of it runs; where nothing does, it changes nothing of what runs. */
  readonly isRunning?: ((metadata: Metadata) => boolean) | undefined;
  /** Why what runs would not take it in, for good. */
  readonly objection?: ((built: BuiltFixes<Metadata>) => Promise<Problem | undefined>) | undefined;
  /** A directory for what is built. */
  readonly directory: string;
}

/** What the builder says where a set lacks something that another fix may bring. */
const LACKING = new Set([
  "DIFF_AMBIGUOUS",
  "DIFF_DOES_NOT_APPLY",
  "DIFF_FUZZY",
  "DOES_NOT_COMPILE",
  "FILE_ALREADY_THERE",
  "FILE_NOT_IN_SOURCE",
  "SYMBOL_NOT_FOUND",
]);

/** Of errors, those that are about the diffs. */
const OF_DIFFS = /^(DIFF_|FILE_|BAD_DIFF_PATH$)/;

/** What was built is in `built`, by the set's places in the series. */
export class FixBuilder<Metadata extends CommonMetadata> {
  readonly built = new Map<string, BuiltFixes<Metadata>>();
  readonly #series: readonly NamedPatch[];
  readonly #fixes: readonly Fix[];
  readonly #attempts: Attempts<Metadata>;

  constructor(series: readonly NamedPatch[], fixes: readonly Fix[], attempts: Attempts<Metadata>) {
    this.#series = series;
    this.#fixes = fixes;
    this.#attempts = attempts;
  }

  /** Throws what a build throws that is not about the diffs. @param set ascending */
  async try(set: readonly number[]): Promise<Tried<Problem>> {
    const patches = this.patchesOf(set);
    const name = this.#attempts.nameOf(patches);
    const output = join(this.#attempts.directory, `${name}-${this.built.size}`);
    let result: LivepatchResult<Metadata>;
    try {
      result = await this.#attempts.build(patches, name, output);
    } catch (error) {
      // What runs was built with it.
      if (error instanceof SutureError && error.code === "DIFF_ALREADY_APPLIED") return { kind: "nothing" };
      if (!(error instanceof SutureError) || !OF_DIFFS.test(error.code)) throw error;
      return failed(problemOf(error));
    }
    switch (result.kind) {
      case "no-change":
        return { kind: "nothing" };
      case "refused": {
        const [first] = result.refusals;
        if (first === undefined) throw new Error("a build was refused without a reason");
        const { code, what, where, hint } = result.refusals.find((each) => !LACKING.has(each.code)) ?? first;
        return failed({ code, what, where, hint });
      }
      case "built": {
        if (this.#attempts.isRunning?.(result.metadata) === false) return { kind: "nothing" };
        const built = { path: result.path, metadata: result.metadata };
        const problem = missingOf(result.metadata) ?? (await this.#attempts.objection?.(built));
        if (problem !== undefined) return failed(problem);
        this.built.set(set.join(), built);
        return { kind: "good" };
      }
    }
  }

  /** In the order of the series. */
  patchesOf(set: readonly number[]): NamedPatch[] {
    const places = set.flatMap((fix) => this.#fixes[fix]?.patches ?? []).toSorted((a, b) => a - b);
    return places.map((place) => this.#series[place] as NamedPatch);
  }
}

function failed(why: Problem): Tried<Problem> {
  return { kind: "fails", why, mayLack: LACKING.has(why.code) };
}
