import type { ShippedFile } from "./source-package.ts";

/** A patch as a distribution's source package carries it. */
export interface SourcePatch {
  /** As the package's list of patches has it. */
  readonly name: string;
  readonly data: Buffer;
}

/** The versions of a source package that can be had, and what lies between them. */
export interface SourceVersions {
  /** Of the source. */
  readonly name: string;
  /** The newest first: those that the archive has, and the one that is installed. */
  readonly versions: readonly string[];
  /** What is installed; undefined where nothing of it is. */
  readonly installed: string | undefined;
  /** The part of a version that is upstream's. */
  upstreamOf(version: string): string;
  /** The patches that a version's source carries, in the order in which they are applied. */
  patches(version: string): Promise<readonly SourcePatch[]>;
  /** What ships of a version: as installed, else from the archive. None where it is in neither. */
  files(version: string): Promise<readonly ShippedFile[]>;
  /** How the version is named where its source is asked for. */
  spec(version: string): string;
}

/** All that a distribution knows of versions, by what it was told of them last. */
export interface PackageVersions {
  /** @param name a package, or a source package. Throws `PACKAGE_UNKNOWN`. */
  of(name: string): Promise<SourceVersions>;
  /** The sources of the packages that files are installed from; of files of no package nothing. */
  sourcesOf(paths: readonly string[]): Promise<readonly string[]>;
}
