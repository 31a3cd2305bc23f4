import type { Atom } from "./unit.ts";

/** Bytes of a struct, and its members by where they lie. */
export interface EntryLayout {
  readonly size: number;
  readonly members: ReadonlyMap<number, string>;
}

/** What of a variable the kernel reads where it lies, each time that it needs it. */
export interface ReadInPlace {
  /** The functions that it names. */
  readonly functions: boolean;
  /** All else. */
  readonly contents: boolean;
}

/** What the object diff cannot see in two objects. What is undefined is not known, and then judged by what is safe. */
export interface DiffOptions {
  /** Whether the unit is part of a module, whose exit code can run. */
  readonly isModule: boolean;
  /** Whether a function needs a compiled-in hook at its entry (ftrace) to be patched. */
  readonly needsHook: boolean;
  /** Whether a function without a hook can be switched by a jump at its entry while the whole target stands still. */
  readonly canSwitch?: boolean | undefined;
  /** The struct that a variable of the patched unit is one of, where that is known. */
  readonly structOf?: ((variable: string) => string | undefined) | undefined;
  /** Whether what is written over a constant is in force then, where that is known. */
  readonly readInPlace?: ((variable: string) => ReadInPlace | undefined) | undefined;
  /** Where the members of a struct lie, where that is known. */
  readonly layoutOf?: ((struct: string) => EntryLayout | undefined) | undefined;
  /** Why a function of the original cannot be redirected at its entry, where that depends on the code that ships. */
  readonly whyNoHook?: ((original: Atom) => string | undefined) | undefined;
  /** Whether the running object lacks a function or a constant of the original: it is no such thing there, and comes along where it is used. */
  readonly isAbsent?: ((original: Atom) => boolean) | undefined;
  /** Names of new functions and variables that come along, since other units of the diff refer to them. */
  readonly wanted?: ReadonlySet<string> | undefined;
  /** What the unit defines now and another one did before, by name: atoms of that one's original. */
  readonly moved?: ReadonlyMap<string, Atom> | undefined;
}
