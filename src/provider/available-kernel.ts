/** A kernel that a distribution ships. */
export interface AvailableKernel {
  /** As uname -r prints it. */
  readonly release: string;
  /** Of its packages. */
  readonly version: string;
  /** The parts of the archive that have it. */
  readonly suites: readonly string[];
  /** As its name has it: plain, cloud, rt. */
  readonly flavour: string;
  /** Why it cannot be made ready; undefined where all that it takes is there. */
  readonly missing: string | undefined;
}

/** What is there, and what could not be looked at. */
export interface AvailableKernels {
  readonly kernels: readonly AvailableKernel[];
  readonly dropped: readonly { readonly name: string; readonly why: string }[];
}
