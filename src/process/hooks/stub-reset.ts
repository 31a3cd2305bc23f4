/** Tasks that stand where a change matters are put to a place that means the same. */
import type { Registers } from "../../arch/registers.ts";
import { nativeHook } from "../os/native.ts";
import type { ProcessMemory } from "../store/memory.ts";
import type { HookedSite } from "./hooked-site.ts";
import type { StubArea } from "./stub-area.ts";

/**
 * Puts a task that stands in a stub back to the hook, with what the stub has
 * saved so far: it has not chosen then, and will by what is in force by then.
 * Returns whether the registers were changed.
 */
export function leaveStub(
  registers: Registers,
  areas: readonly StubArea[],
  memory: Pick<ProcessMemory, "read">,
): boolean {
  const ip = registers.pc;
  const area = areas.find((each) => ip >= each.stubs.start && ip < each.stubs.end);
  if (area === undefined) return false;
  const { stubSize, leaveStub: leave } = nativeHook();
  const offset = (ip - area.start) % stubSize;
  return leave(registers, memory.read(ip - offset, stubSize), offset, (address, size) => memory.read(address, size));
}

/**
 * Puts a task that stands within the bytes that a hook is about to overwrite to
 * the same instruction in the trampoline. Returns whether the registers were changed.
 */
export function leaveHookPlace(registers: Registers, { displacement, trampoline }: HookedSite): boolean {
  const ip = registers.pc;
  const origin = trampoline.origins.find(({ original }) => original === ip);
  if (origin === undefined || ip === displacement.hookAt) return false;
  registers.pc = trampoline.start + origin.offset;
  return true;
}
