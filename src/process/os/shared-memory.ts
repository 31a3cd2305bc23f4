import { libc } from "./libc.ts";
import { nativeLinux } from "./native.ts";

const KCMP_VM = 1;

/** Whether two tasks, by their ids, have one memory: kcmp(2). false also for what we may not look at. */
export function sharesMemory(one: number, other: number): boolean {
  return Number(libc().syscall(nativeLinux().systemCalls.kcmp, one, other, KCMP_VM, 0, 0, 0)) === 0;
}
