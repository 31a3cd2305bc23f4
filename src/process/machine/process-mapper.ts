/** Mappings of a process, made and taken away by system calls that a thread of it makes for us. */
import type { CodeRange } from "../../core/machine.ts";
import { SutureError } from "../../lib/error.ts";
import type { Mapper, Protection } from "../hooks/mapper.ts";
import { type Mapping, mappingsOf } from "../os/mappings.ts";
import { nativeLinux } from "../os/native.ts";

const PROT: { readonly [Name in Protection]: number } = { "r--": 1, "rw-": 3, "r-x": 5 };
const MAP_PRIVATE = 2;
const MAP_ANONYMOUS = 0x20;
/** Besides sparing the accounting it keeps the kernel from joining our mappings with the program's. */
const MAP_NORESERVE = 0x4000;
const MAP_FIXED_NOREPLACE = 0x100000;
const FLAGS = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
const EAGAIN = -11;
const ENOMEM = -12;
const EEXIST = -17;

/** Makes a system call in the process; negative error numbers as the kernel gives them. */
export type SystemCall = (number: number, args: readonly number[]) => number;

/** Keeps the list of mappings that it has read; `freshMappings` reads it anew. */
export class ProcessMapper implements Mapper {
  readonly #pid: number;
  readonly #systemCall: SystemCall;
  #known: readonly Mapping[] | undefined;

  constructor(pid: number, systemCall: SystemCall) {
    this.#pid = pid;
    this.#systemCall = systemCall;
  }

  mappings(): readonly Mapping[] {
    return this.#known ?? this.freshMappings();
  }

  /** As they are now. Throws `TARGET_GONE`. */
  freshMappings(): readonly Mapping[] {
    this.#known = mappingsOf(this.#pid);
    return this.#known;
  }

  /** Throws `TARGET_OUT_OF_MEMORY`. False where something else is there by now. */
  map({ start, end }: CodeRange, protection: Protection): boolean {
    const got = this.#systemCall(nativeLinux().systemCalls.mmap, [start, end - start, PROT[protection], FLAGS, -1, 0]);
    if (got === start) {
      this.#known = this.#known && [...this.#known, ours({ start, end }, protection)].sort((a, b) => a.start - b.start);
      return true;
    }
    this.#known = undefined;
    const where = `pid ${this.#pid}, 0x${start.toString(16)}, ${end - start} bytes`;
    if (got >= 0) {
      // A kernel that does not know MAP_FIXED_NOREPLACE takes the address as a wish.
      this.#systemCall(nativeLinux().systemCalls.munmap, [got, end - start]);
    }
    if (got === ENOMEM) {
      throw new SutureError("TARGET_OUT_OF_MEMORY", "the process cannot have more memory", {
        where,
        hint: "raise its limit of address space, or the number of mappings that the kernel allows (vm.max_map_count)",
      });
    }
    if (got === EAGAIN) {
      throw new SutureError("TARGET_OUT_OF_MEMORY", "the process locks all its memory, and may not lock so much more", {
        where,
        hint: `raise its limit: prlimit --pid ${this.#pid} --memlock=BYTES`,
      });
    }
    if (got === EEXIST || got >= 0) return false;
    throw new SutureError("MAP_REFUSED", `the kernel refuses to map memory in the process: error number ${-got}`, {
      where,
      hint: "a security module may forbid it",
    });
  }

  unmap({ start, end }: CodeRange): void {
    this.#systemCall(nativeLinux().systemCalls.munmap, [start, end - start]);
    this.#known = undefined;
  }
}

/** As /proc/PID/maps will have it, if not as a part of one that is larger. */
function ours({ start, end }: CodeRange, protection: Protection): Mapping {
  const [writable, executable] = [protection === "rw-", protection === "r-x"];
  return { start, end, readable: true, writable, executable, offset: 0, device: "00:00", inode: 0, name: "" };
}
