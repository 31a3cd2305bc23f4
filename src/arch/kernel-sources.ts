/** One machine in the kernel's source tree and in packages of it. */

/** What kbuild and the configuration call the machine. */
export interface KernelSources {
  /** The option of its configuration that says this machine, without CONFIG_. */
  readonly option: string;
  /** SRCARCH: the directory below arch/. */
  readonly directory: string;
  /** Where make leaves the image that is booted, below the directory that it builds in. */
  readonly image: string;
  /** The vdso's own files, which run in user space, and beside them those of the kernel that set it up. */
  readonly vdso: RegExp;
  readonly vdsoSetup: RegExp;
  /** Files that run before the kernel, or beside it. */
  readonly boot: RegExp;
  /** Files that are compiled only to learn numbers that assembly needs. */
  readonly offsets: RegExp;
  /** Tables that programs of the build make C of. */
  readonly tables: RegExp;
  /** Directories of the files of which kbuild makes what is no kernel code. */
  readonly notKernel: RegExp;
  /** Directories with assembly of other processor modes, or of programs. */
  readonly otherAssembly: RegExp;
  /** Assembly that this machine's kernels do not have, though its directory does. */
  readonly foreignAssembly?: RegExp;
  /** Branches on static keys as code that reads the key's count; undefined where nobody has written it for this machine. */
  readonly jumpLabels?: JumpLabels;
}

/** The one header by which code branches on static keys, and how to have it ask instead. */
export interface JumpLabels {
  /** The header, below the source tree. */
  readonly header: string;
  /**
   * The header with its two branches made ones that read the key's count. A branch
   * is taken, as the instruction is a jump, if the key's state is not `branch`. A
   * count below 0 is that of a key that is being enabled.
   */
  askingForKeys(header: string): string;
}
