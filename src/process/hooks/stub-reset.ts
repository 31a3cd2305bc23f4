/** Tasks that stand where a change matters are put to a place that means the same. */
import { readStub, STUB_SIZE } from "../../arch/x86_64/hook-stubs.ts";
import { type ProcessMemory, REGISTER, registerOf, setRegister } from "../store/memory.ts";
import type { HookedSite } from "./hooked-site.ts";
import type { StubArea } from "./stub-area.ts";

const WORD = 8;

/**
 * Puts a task that stands in a stub back to the hook, with what the stub has
 * saved so far: it has not chosen then, and will by what is in force by then.
 * Returns whether the registers were changed.
 */
export function leaveStub(registers: Buffer, areas: readonly StubArea[], memory: ProcessMemory): boolean {
  const ip = registerOf(registers, REGISTER.rip);
  const area = areas.find((each) => ip >= each.stubs.start && ip < each.stubs.end);
  if (area === undefined) return false;
  const offset = (ip - area.start) % STUB_SIZE;
  const stub = readStub(memory.read(ip - offset, STUB_SIZE), offset);
  if (stub === undefined) return false;
  const stackPointer = registerOf(registers, REGISTER.rsp);
  for (const { register, slot } of stub.saved) {
    memory.read(stackPointer + slot, WORD).copy(registers, REGISTER[register]);
  }
  setRegister(registers, REGISTER.rip, stub.hookAt);
  return true;
}

/**
 * Puts a task that stands within the bytes that a hook is about to overwrite to
 * the same instruction in the trampoline. Returns whether the registers were changed.
 */
export function leaveHookPlace(registers: Buffer, { displacement, trampoline }: HookedSite): boolean {
  const ip = registerOf(registers, REGISTER.rip);
  const origin = trampoline.origins.find(({ original }) => original === ip);
  if (origin === undefined || ip === displacement.hookAt) return false;
  setRegister(registers, REGISTER.rip, trampoline.start + origin.offset);
  return true;
}
