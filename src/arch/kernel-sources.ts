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
  readonly jumpLabels?: HeaderForm;
  /** Constants that the kernel fills in as it boots as code that reads the variables they come from; undefined likewise. */
  readonly runtimeConstants?: HeaderForm;
}

/** The one header by which code has something that the running kernel does for its own code alone, and the form in which it does without. */
export interface HeaderForm {
  /** The header, below the kernel's tree. */
  readonly header: string;
  /** The header's text in that form. */
  rewritten(header: string): string;
}
