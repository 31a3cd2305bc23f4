/**
 * What a livepatch says of itself, kept as JSON in its section
 * `.suture.metadata`: enough to explain it without the tree it was built from.
 */
import type { Refusal } from "./refusal.ts";

/** By its name a file is known as a livepatch that suture made. It is not loaded into memory. */
export const METADATA_SECTION = ".suture.metadata";
/** Of the format. docs/versions.md says when it is raised. */
export const METADATA_VERSION = 1;
/** The highest number that a livepatch's own version may be. */
export const MAX_PATCH_VERSION = 999_999_999;

/** A field of vmlinux's code that holds an address: it moves with the kernel (KASLR), or against it. */
export interface MovedCodeField {
  /** In the code, bytes. */
  readonly at: number;
  readonly size: 4 | 8;
  readonly moves: "with" | "against";
}

/** A field of a module's code that is filled in when the module is loaded. */
export interface BoundCodeField {
  readonly at: number;
  readonly size: 4 | 8;
  /** Whether it holds the distance from itself. */
  readonly isRelative: boolean;
  /** To the start of a section of the module, or to a symbol of whatever object; neither where it is not known. */
  readonly section?: string | undefined;
  readonly symbol?: string | undefined;
  readonly addend: number;
}

/** A field of code whose bytes depend on where things lie in the kernel that runs. */
export type CodeField = MovedCodeField | BoundCodeField;

/** A function as it ships and runs, so that what runs can be held against it before it is patched. */
export interface OriginalRecord {
  /** Of vmlinux: from `_text`, bytes. */
  readonly offset?: number | undefined;
  /** Base64: its bytes up to the next function; fields that move are as in a kernel that begins at address 0. */
  readonly code: string;
  /** Where ftrace takes hold of it, bytes from its start. */
  readonly hook?: number | undefined;
  /** What the kernel itself rewrites when it boots or while it runs: start and length, ascending. */
  readonly rewritten: readonly (readonly [at: number, length: number])[];
  /** Calls that it rewrites where it counts them: the same. */
  readonly counted?: readonly (readonly [at: number, length: number])[] | undefined;
  readonly fields: readonly CodeField[];
}

/** Why a function is in the livepatch. */
export interface FuncRecord {
  /** The function's name in the running object. */
  readonly name: string;
  /** Position among equal names in kallsyms order; 0 where the name is unique. */
  readonly sympos: number;
  /** The translation unit, relative to the source tree. */
  readonly source: string;
  /** One sentence: changed code, changed constant data, carried into its caller, ... */
  readonly why: string;
  readonly size: { readonly original: number; readonly patched: number };
  /** The name of the new version, where another function comes in its place. */
  readonly newName?: string | undefined;
  /** How the kernel is led to the new version: by its livepatch core through ftrace where undefined. */
  readonly by?: "switch" | undefined;
  /** Of a kernel's function, where what ships tells how it runs. */
  readonly original?: OriginalRecord | undefined;
}

/** An object can have callbacks and no functions, or neither where it only lends its symbols to new code. */
export interface ObjectRecord {
  /** `vmlinux` or a module's name. */
  readonly name: string;
  /** GNU build-id of the object that the proof holds for, hexadecimal. */
  readonly buildId?: string | undefined;
  readonly funcs: readonly FuncRecord[];
  /** The kinds of its callbacks, for instance `pre_patch`. */
  readonly callbacks: readonly string[];
  /** Constants in use whose contents are overwritten, where there are any. */
  readonly values?: readonly string[] | undefined;
}

/** What was proved about one translation unit: original equals what ships. */
export interface ProofRecord {
  readonly source: string;
  readonly object: string;
  /** Functions of the original that were found in the shipped code, byte for byte. */
  readonly proved: number;
  /** Functions that are in the object file and not in what ships (overridden weak functions, discarded init code). */
  readonly absent: readonly string[];
  /** Functions that differ from what ships; none of them is patched. */
  readonly differing: readonly { readonly name: string; readonly reason: string }[];
}

/** A piece of an object file: its names alone tell what a sentence of a note is about. */
export interface PieceRecord {
  /** The translation unit, relative to the source tree. */
  readonly source: string;
  readonly section: string;
  /** Of the function, variable or constant; of the section where it has no name of its own. */
  readonly name: string;
}

/** Something done beyond replacing functions, or left out, that a reader should know. */
export interface Note {
  readonly code: string;
  readonly text: string;
  /** What is not as the source has it, and is told of here. */
  readonly pieces?: readonly PieceRecord[] | undefined;
}

/** A part of the diff that was left out because no running code is touched by it. */
export interface LeftOutRecord extends Refusal {
  /** All that is left out for this reason. */
  readonly pieces: readonly PieceRecord[];
}

/** What became of one piece of a section that differs between original and patched, is new, or is gone. */
export interface FateRecord extends PieceRecord {
  /**
   * `replaced`: what runs is redirected to the new version; `travels`: what uses it does so in the
   * livepatch; `overwritten`: where it lies; `without-effect`: nothing that runs would see it.
   */
  readonly fate: "replaced" | "travels" | "overwritten" | "without-effect";
  /** What redirects or overwrites it; a module's exit function is redirected by the pointer to it, by none of these. */
  readonly by?: "ftrace" | "switch" | "jump" | undefined;
  /** Why that is all there is to do, one sentence part. */
  readonly why: string;
}

/** An address of what a livepatch brings that its code lets get to where it may outlive the livepatch. */
export interface StayRecord {
  /** The translation unit, relative to the source tree. */
  readonly source: string;
  /** The new code that lets it out; the variable or constant that is overwritten with it. */
  readonly function: string;
  /** What it is the address of: new code, data, or a string. */
  readonly what: string;
  /** The end of a sentence that begins with that: `is passed to single_open, which may keep it`. */
  readonly how: string;
}

/** A symbol that the livepatch takes from the running system. */
export interface NeedRecord {
  readonly name: string;
  readonly object: string;
  /**
   * `exported`: by the module loader, with its CRC, or in a program looked up in what the process has
   * loaded; `livepatch`: by a livepatch relocation, for a program an address that is in the file.
   */
  readonly by: "exported" | "livepatch";
  readonly sympos: number;
}

/** What the livepatches of kernels and of programs both say. */
export interface CommonMetadata {
  readonly version: typeof METADATA_VERSION;
  readonly name: string;
  readonly tool: string;
  /** Which one of the livepatches of its name it is, from 1, where it was numbered: a higher one is newer. */
  readonly patchVersion?: number | undefined;
  readonly replace: boolean;
  readonly newFunctions: readonly string[];
  readonly needs: readonly NeedRecord[];
  readonly proofs: readonly ProofRecord[];
  readonly notes: readonly Note[];
  readonly leftOut: readonly LeftOutRecord[];
  /** One for each piece that differs, is new, or is gone; and for each that travels. */
  readonly fates: readonly FateRecord[];
  /** Where there are any, the livepatch's memory stays when it is disabled: its module holds itself, its mapping is kept. */
  readonly stays: readonly StayRecord[];
  /**
   * The source diffs that it was built from, whole, in the order in which they were applied; undefined where they were
   * not to be kept, or are too large. Bytes that are not UTF-8 are read as Latin-1.
   */
  readonly diffs?: readonly string[] | undefined;
}

/** Of a kernel's livepatch; its name is the module's. */
export interface PatchMetadata extends CommonMetadata {
  readonly kernel: {
    readonly release: string;
    /** GNU build-id of vmlinux, hexadecimal. */
    readonly buildId: string;
    readonly vermagic: string;
  };
  readonly objects: readonly ObjectRecord[];
}
