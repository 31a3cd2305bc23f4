import type { Atom } from "./unit.ts";

/** Bytes of a struct, and its members by where they lie. */
export interface EntryLayout {
  readonly size: number;
  readonly members: ReadonlyMap<number, string>;
}

/** What of a variable in use the kernel reads where it lies, each time that it needs it; what is not told here, it may have copied. */
export interface ReadInPlace {
  /** The functions that it names: another one of the running kernel's can take the place of one. */
  readonly functions?: boolean | undefined;
  /** Nobody keeps the address of one of them either, not even for the time of a call: one that is new can, too. */
  readonly newFunctions?: boolean | undefined;
  /** The pointers of a variable that may be written, to functions and to data, whether they are there or not. */
  readonly pointers?: boolean | undefined;
  /** All else. */
  readonly contents?: boolean | undefined;
  /** All else is copied when it is registered, whoever refers to it. */
  readonly copied?: boolean | undefined;
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
  /** Whether what is written over a variable is in force then, where that is known. */
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
