/** What the linker of programs' livepatches is given. */
import type { Arch } from "../arch/arch.ts";
import type { Selection } from "../diff/selection.ts";
import type { Atom } from "../diff/unit.ts";
import type { ElfFile } from "../elf/model.ts";
import type { ReliedFunction } from "../patch/program-metadata.ts";
import type { ProgramOrigin } from "./input.ts";

/**
 * One unit's selection, and the answers to where the program has what it refers to.
 * undefined where that is not proved: it is refused then, if it is needed.
 */
export interface ProgramLinkUnit {
  readonly selection: Selection;
  /** The object file that the selection's pieces are from: their call-frame information is in it. */
  readonly patched: ElfFile;
  /** The object that the unit is part of: a name of `ProgramLinkRequest.objects`. */
  readonly object: string;
  /** Where a function lies that gets a new version; undefined where that was not proved. @param original atom of the original unit */
  locateFunc(original: Atom): LocatedFunc | undefined;
  /** Where the atom's own name lies, at `nameOffset`. @param atom of the original unit */
  locate(atom: Atom): ProgramOrigin | undefined;
  /** A symbol that the unit does not define. */
  external(name: string): ProgramOrigin | undefined;
}

/** A function of the shipped object that gets a new version, where its code was found. */
export interface LocatedFunc {
  readonly name: string;
  /** Position among functions of that name in the object, in order of address, from 1; 0 where there is only one. */
  readonly sympos: number;
  /** Entry, in the object's own address space. */
  readonly address: number;
  /** All its code, `.cold` and `.part` pieces too, half-open; the first holds the entry. */
  readonly ranges: readonly (readonly [start: number, end: number])[];
  /** Bytes behind the first range that are no one's, as far as that is proved. */
  readonly padding?: number;
}

/** An executable or library as it was shipped, for which the livepatch has a part. */
export interface ProgramObject {
  /** Base name of the executable as shipped, or the library's soname. */
  readonly name: string;
  /** GNU build-id, hexadecimal. */
  readonly buildId: string;
  /** As shipped. */
  readonly path: string;
  readonly relies?: readonly ReliedFunction[] | undefined;
}

/** All that goes into one livepatch for programs. */
export interface ProgramLinkRequest {
  readonly arch: Arch;
  readonly objects: readonly ProgramObject[];
  readonly units: readonly ProgramLinkUnit[];
}
