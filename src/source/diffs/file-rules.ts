/** What files of a source tree are by their paths, and what is said of a change to one: each kind of source has rules of its own. */
import type { Note } from "../../patch/metadata.ts";
import type { Refusal } from "../../patch/refusal.ts";
import type { ObjectChange } from "./makefile-objects.ts";

/** It decides what a change of the file can do to code that runs. */
export type FileKind =
  | "source"
  | "header"
  | "assembly"
  | "kconfig"
  | "makefile"
  | "vdso"
  | "boot"
  /** Compiled only to learn numbers that assembly needs. */
  | "offsets"
  /** Made into source by a program of the build: tables, grammars, templates. */
  | "generator"
  | "rust"
  | "other-architecture"
  /** Documentation, programs for user space, whatever the kernel does not contain. */
  | "not-code";

/** Kinds of files of which a change is refused, whatever it is. */
export type RefusedKind = Exclude<FileKind, "source" | "header" | "not-code" | "other-architecture">;

/** What files are by their paths, and what is said of a change to one that is not compiled. */
export interface FileRules {
  kindOf(path: string): FileKind;
  /** For a file whose change can be left out without loss; undefined for all others. */
  note(path: string, kind: FileKind): Note | undefined;
  refusal(path: string, kind: RefusedKind): Refusal;
  /** What the two texts of a file show, and what they compile to does not: that other source is made of it, for one. */
  ofTexts?(path: string, original: string, patched: string): Refusal | undefined;
  /** What a Makefile's change does to its lists of objects; undefined where it does more. */
  objects?(original: string, patched: string): ObjectChange | undefined;
}
