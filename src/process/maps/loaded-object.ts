import type { DynamicObject } from "./dynamic.ts";
import type { MappedElf } from "./mapped-elf.ts";

/** An object that a process has loaded. */
export interface LoadedObject {
  /** As the process saw it when it was mapped. */
  readonly path: string;
  /** Whether the file has another name now, or none. */
  readonly isDeleted: boolean;
  readonly elf: MappedElf;
  readonly isExecutable: boolean;
  /** Whether it is in the dynamic linker's own list; one of another namespace (dlmopen) is not. */
  readonly isListed: boolean;
  /** Device and inode. */
  readonly file: string;
  /** undefined for one that is not dynamically linked. */
  readonly dynamic: DynamicObject | undefined;
}
