import type { Registers } from "../../arch/registers.ts";

/** The memory of a process, whatever its protection. Both throw where not all of it could be reached. */
export interface ProcessMemory {
  read(address: number, size: number): Buffer;
  write(address: number, bytes: Uint8Array): void;
}

/** Threads that stand still. */
export interface StoppedThreads {
  registers(task: number): Registers;
  setRegisters(task: number, registers: Registers): void;
}
