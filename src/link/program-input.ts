/** What the linker of programs' livepatches is given. */
import type { Arch } from "../arch/arch.ts";
import type { Atom } from "../diff/unit.ts";
import type { ElfFile } from "../elf/model.ts";
import type { ReliedFunction } from "../patch/program-metadata.ts";
import type { BoundUnit } from "./input.ts";

/** A unit of a program. */
export interface ProgramLinkUnit extends BoundUnit {
  /** The object file that the selection's pieces are from: their call-frame information is in it. */
  readonly patched: ElfFile;
  /** Where a function lies that gets a new version; undefined where that was not proved. @param original atom of the original unit */
  locateFunc(original: Atom): LocatedFunc | undefined;
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
