/** The patch model: what a target gives to the core, with the addresses of the running system. Plain data. */
import type { CallbackName, StateRecord } from "../patch/program-metadata.ts";
import type { Code, CodeRange, Site } from "./machine.ts";

/** A function and its new version. */
export interface Func {
  readonly site: Site;
  readonly code: Code;
}

/** The part of a patch that belongs to one executable or library which the system has loaded. */
export interface PatchObject {
  readonly name: string;
  readonly funcs: readonly Func[];
  /** Entries of its callbacks. */
  readonly callbacks: { readonly [Name in CallbackName]?: number | undefined };
  /**
   * All new code of this object, functions included that no site leads to: a task
   * anywhere in it is held when the patch is left. Empty where only the versions
   * of sites count.
   */
  readonly code: readonly CodeRange[];
}

/**
 * What one livepatch is for one system, with all that the system has loaded of what it
 * patches. The core keeps it in its record as it is given.
 */
export interface Patch {
  /** Unique among those loaded. */
  readonly name: string;
  /** Cumulative: takes the place of all patches before it, at the same instant. */
  readonly replace: boolean;
  readonly states: readonly StateRecord[];
  readonly objects: readonly PatchObject[];
  /** Names of objects that it patches and the system has not loaded now. */
  readonly absent: readonly string[];
}
