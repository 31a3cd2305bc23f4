/** A row of the table of fixes: what is fixed, in what, and how its effect is seen from outside. */
import type { Cut } from "./cut.ts";
import type { Server } from "./server.ts";

/** A source package of Debian 12, by the version whose code is patched. */
export interface SourcePackage {
  readonly name: string;
  readonly version: string;
  /** Of the same package: whose debian/patches carry the fixes. */
  readonly patchesFrom: string;
  /** Of debian/rules, to build less than all of it. */
  readonly target?: string;
  /** Added to debian/rules, to build less than they do. */
  readonly rules?: string;
  /** Words of DEB_BUILD_OPTIONS that Debian's own build does not have. */
  readonly options?: readonly string[];
  /** Of the archive: what loads it, where that is not among what is patched. */
  readonly with?: readonly StockPackage[];
}

export interface StockPackage {
  readonly name: string;
  /** The newest where none is given. */
  readonly version?: string;
}

/** What runs before the fix. */
export type Before =
  /** As Debian ships it, in a version that does not have the fix yet. */
  | {
      readonly kind: "stock";
      readonly packages: readonly StockPackage[];
      /** The file that is patched, below the unpacked packages. */
      readonly object: string;
    }
  /** Built from Debian's source with this fix left out. */
  | { readonly kind: "left-out"; readonly rebuild: Rebuild };

export interface Rebuild {
  /** Where the compiled files lie, below the unpacked source; there itself where it is not given. */
  readonly below?: string;
  /** Run there, after a file has changed. */
  readonly command: readonly string[];
  /** How many leading folders the names in the diffs have there; 1 by default. */
  readonly strip?: number;
  /** What it makes, below the same. */
  readonly program: string;
  /** What it makes and the program is run with, below the same. */
  readonly beside?: readonly string[];
  /** What it is called where it is installed; the same where it is not given. */
  readonly as?: string;
}

/** Where things are when a server is started. */
export interface Place {
  /** The program that is patched, or below which the packages are unpacked. */
  readonly program: (name: string) => string;
  /** Where the packages are unpacked. */
  readonly root: string;
  /** For shared libraries that are not the system's. */
  readonly libraries: string;
  /** For the server's own files. */
  readonly directory: string;
}

/** What a probe saw. */
export interface Sight {
  readonly fixed: boolean;
  /** In a few words, what the server did. */
  readonly seen: string;
}

export interface LoadReport {
  /** Requests that were answered. */
  readonly requests: number;
  readonly errors: number;
  /** What the errors were. */
  readonly complaints: readonly string[];
}

/** A load generator that runs until it is stopped. */
export interface Load {
  stop(): Promise<LoadReport>;
}

export interface Service extends AsyncDisposable {
  readonly server: Server;
  /** Of all processes that run the patched code, now. */
  pids(): number[];
  load(): Load;
  /** In words: the program that makes the load. */
  readonly generator: string;
}

/** Where a fix is had from. */
export type FixDiff =
  /** The name of a file in debian/patches. */
  | string
  /** What differs in these files between the version that is patched and the one that has the patches. */
  | { readonly kind: "changed"; readonly files: readonly string[] }
  /** Of what upstream has changed, one part, where Debian has no patch of it. */
  | Cut
  /** The same, where no version of Debian 12 has it. */
  | { readonly kind: "upstream"; readonly name: string; readonly text: string };

export interface Fix {
  /** As it was published. */
  readonly id: string;
  readonly what: string;
  readonly source: SourcePackage;
  readonly before: Before;
  /** Several where one builds on another. */
  readonly diffs: readonly FixDiff[];
  start(place: Place): Promise<Service>;
  probe(service: Service): Promise<Sight>;
  /** The process that is probed without the fix dies of it. */
  readonly lethal?: boolean;
}
