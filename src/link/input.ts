/** What the linker is given. */

import type { Arch } from "../arch/arch.ts";
import type { CodeTraits } from "../arch/module-code.ts";
import type { KernelLayouts } from "../btf/kernel-layouts.ts";
import type { Selection } from "../diff/selection.ts";
import type { Atom, Literal } from "../diff/unit.ts";

/** Where the livepatch finds something that the running system has. */
export type Origin =
  /** Exported: the module loader binds it and checks its CRC. */
  | {
      readonly kind: "exported";
      readonly name: string;
      readonly crc: number;
      /** Whose namespace the livepatch has to import. */
      readonly namespace: string | undefined;
      /** The module that exports it, if it is one on which the livepatch then depends. */
      readonly module: string | undefined;
    }
  /** Anything in kallsyms: the livepatch core binds it, when `object` is there. */
  | { readonly kind: "livepatch"; readonly object: string; readonly name: string; readonly sympos: number }
  | ProgramOrigin;

/** What a program's livepatch takes from the process. */
export interface ProgramOrigin {
  readonly kind: "program";
  /** The object that has it; for an import the one that needs it. */
  readonly object: string;
  readonly name: string;
  readonly sympos: number;
  /** Address in the object's own address space, for `thread` the offset in its thread-local storage; undefined for an import, which is looked up in what the process has loaded. */
  readonly address: number | undefined;
  /** Bytes; 0 where it is not known. */
  readonly size: number;
  readonly type: "function" | "variable" | "thread";
  /** Bound inside of the object, whatever comes first for others. */
  readonly isDirect?: true;
  /** An import that may be nowhere, and is 0 then. */
  readonly isWeak?: true;
}

/** Something of the running object that the livepatch may refer to, and what has to be minded then. */
export interface Found {
  readonly origin: Origin;
  /** A function that must not be called through a pointer: its landing pad is gone (IBT). */
  readonly isSealed?: boolean | undefined;
  /** It was given back when its object was up, and code that needs it anew would find other things there. */
  readonly isFreed?: boolean | undefined;
}

/**
 * A unit of the diff, and the answers to where what runs has what its pieces refer to.
 * undefined where that is not proved: it is refused then, if it is needed.
 */
export interface BoundUnit {
  readonly selection: Selection;
  /** That it is part of: `vmlinux`, a module's name, an executable or a library. */
  readonly object: string;
  /** What else has names that it is bound to, for a reader. */
  readonly surroundings: string;
  /** Where the atom's own name lies, at `nameOffset`. @param atom of the original unit */
  locate(atom: Atom): Found | undefined;
  /** A symbol that the unit does not define. */
  external(name: string, isWeak?: boolean): Found | undefined;
  /** Where the running object has a string or constant that the original's proved code refers to. */
  literal?(literal: Literal): { readonly origin: Origin; readonly offset: number } | undefined;
}

/** A unit of a kernel. */
export interface LinkUnit extends BoundUnit {
  /** Modules that are loaded whenever the object is: those that it depends on. */
  readonly dependencies: ReadonlySet<string>;
  /** Position of a function among equal names of its object, 0 where it is the only one, and its name there. */
  locateFunc(original: Atom): { readonly name: string; readonly sympos: number } | undefined;
}

/** What the module loader has room for, as the kernel was configured. */
export interface LoadLimits {
  /** Bytes that the per-CPU variables of all modules share: PERCPU_MODULE_RESERVE. */
  readonly perCpuReserve: number;
}

/** The kernel that the livepatch is for: what a module has to say and hold to be taken in by it. */
export interface LinkTarget extends CodeTraits {
  readonly arch: Arch;
  readonly release: string;
  /** GNU build-id of vmlinux, hexadecimal. */
  readonly buildId: string;
  readonly vermagic: string;
  readonly layouts: KernelLayouts;
  /** Of `module_layout`, which every module with CRCs names; undefined for a kernel without CRCs. */
  readonly layoutCrc: number | undefined;
  /** CONFIG_RETPOLINE or CONFIG_MITIGATION_RETPOLINE. */
  readonly hasRetpoline: boolean;
  readonly limits: LoadLimits;
}

/** All that goes into one kernel's livepatch. */
export interface LinkRequest {
  /** The module's name. */
  readonly name: string;
  /** The livepatch's own number, which the module has as its version. */
  readonly patchVersion?: number | undefined;
  readonly description: string;
  readonly target: LinkTarget;
  readonly units: readonly LinkUnit[];
  /** The code that switches all functions at one moment; undefined where the livepatch core patches each by its hook. */
  readonly switchUnit?: LinkUnit | undefined;
  readonly replace: boolean;
}
