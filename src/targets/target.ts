/**
 * What the verbs speak to: a running system that takes in livepatches,
 * whatever lies under it.
 */
import type { Refusal } from "../patch/refusal.ts";

export interface Target {
  identify(): Promise<TargetIdentity>;
  /** Why a livepatch would not be taken in as things are now; nothing is changed. */
  preflight(livepatch: string): Promise<readonly Refusal[]>;
  /** Takes in a livepatch file and enables it. The transition may go on after that. */
  load(livepatch: string): Promise<PatchStatus>;
  /** Turns a transition away from a patch back to it. */
  enable(patch: string): Promise<void>;
  /** Starts the transition away from a patch, or turns the one to it back. */
  disable(patch: string): Promise<void>;
  /** Every patch that is there, in no particular order. */
  status(): Promise<readonly PatchStatus[]>;
  /** Ends a transition without regard for the tasks that hold it up. */
  force(patch: string): Promise<void>;
  /** Takes a disabled patch out, or tells that its memory stays, for something may lead there. */
  unload(patch: string): Promise<"unloaded" | "stays">;
}

export interface TargetIdentity {
  /** For a reader: `Linux 6.1.0-1-amd64`. */
  readonly name: string;
  /** GNU build-id, hexadecimal, of what is patched in the first place; undefined where it cannot be read. */
  readonly buildId: string | undefined;
}

export interface PatchStatus {
  readonly name: string;
  readonly enabled: boolean;
  readonly transition: boolean;
  readonly objects: readonly PatchedObject[];
  /** Tasks that are not yet in the universe that the transition goes to; empty where there is none. */
  readonly holders: readonly Holder[];
}

export interface PatchedObject {
  readonly name: string;
  /** Whether it is loaded and its functions are redirected; undefined where the target does not tell. */
  readonly patched: boolean | undefined;
  readonly funcs: readonly { readonly name: string; readonly sympos: number }[];
}

/** A task that holds a transition up. */
export interface Holder {
  readonly pid: number;
  readonly tid: number;
  readonly name: string;
  /** The universe that it is still in. */
  readonly universe: "old" | "new";
  /** Innermost frame first, as `function+0x12/0x34`; empty where it may not be read. */
  readonly stack: readonly string[];
}
