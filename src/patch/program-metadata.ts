/** What a program's livepatch says of itself: the words of the kernel's (metadata.ts), and where things lie. */
import type { CommonMetadata, FuncRecord } from "./metadata.ts";

/** The four callbacks of an object, as the kernel names them (struct klp_callbacks, include/linux/livepatch.h). */
export const CALLBACK_NAMES = ["pre_patch", "post_patch", "pre_unpatch", "post_unpatch"] as const;
/** Name of one of the four; which of them runs when is in Documentation/livepatch/callbacks. */
export type CallbackName = (typeof CALLBACK_NAMES)[number];

/** Pointers to the process's shadow variables: the loader fills them in. */
export const SHADOWS_SECTION = ".suture.shadows";

/** Addresses are those of the object's own address space, before it is loaded anywhere. */
export interface ProgramFuncRecord extends FuncRecord {
  /** Entry of the original. */
  readonly address: number;
  /** All code of the original, its `.cold` and `.part` pieces too, half-open; the first holds the entry. */
  readonly ranges: readonly (readonly [start: number, end: number])[];
  /** Bytes behind the first range that are no one's, into which a hook may reach. */
  readonly padding?: number | undefined;
  /** The symbol in the livepatch where the new function is entered. */
  readonly symbol: string;
}

/**
 * One executable or library that the livepatch patches: how it is known where it is
 * loaded, and which part of the livepatch is for it.
 */
export interface ProgramObjectRecord {
  /** Base name of the executable as shipped, or the library's soname. */
  readonly name: string;
  /** GNU build-id, hexadecimal. */
  readonly buildId: string;
  /** Where it is shipped; it may run from anywhere. */
  readonly path: string;
  /** All sections of the livepatch that belong to this object, and lie within reach of it. */
  readonly sections: readonly string[];
  readonly funcs: readonly ProgramFuncRecord[];
  /** Functions that are not patched, and on whose code, as it is, new code of the same file relies. */
  readonly relies?: readonly ReliedFunction[] | undefined;
  /** By kind, the symbol in the livepatch. */
  readonly callbacks: { readonly [Name in CallbackName]?: string | undefined };
}

/** No other livepatch may replace it beside this one. */
export interface ReliedFunction {
  readonly source: string;
  readonly name: string;
}

/** A system state that the livepatch changes. */
export interface StateRecord {
  readonly id: number;
  readonly version: number;
}

/** All that suture's own livepatch core needs to know of a livepatch: there is no struct klp_patch in a program's. */
export interface ProgramMetadata extends CommonMetadata {
  readonly kind: "program";
  readonly program: {
    /** Of the distribution; undefined for one's own build. */
    readonly package?: string | undefined;
    readonly version?: string | undefined;
    /** Version line of the compiler. */
    readonly compiler: string;
  };
  readonly objects: readonly ProgramObjectRecord[];
  readonly states: readonly StateRecord[];
}

/** The name of a func in every place where objects and positions are needed to tell it: `redis-server:sdscatlen,0`. */
export function siteName(object: string, func: { readonly name: string; readonly sympos: number }): string {
  return `${object}:${func.name},${func.sympos}`;
}
