/** Entries of linkage tables (PLT): code that jumps to where a pointer says. */
import type { TryRead } from "../../arch/call-code.ts";
import { nativeCalls, nativeWords } from "../os/native.ts";

const WORD = 8;

/** Where the entry of a linkage table at an address leads; undefined where there is none. */
export function linkedTo(address: number, read: TryRead): number | undefined {
  const slot = nativeCalls().linkageSlot(address, read);
  return slot === undefined ? undefined : pointerAt(slot, read);
}

/** undefined where it cannot be read. */
export function pointerAt(address: number, read: TryRead): number | undefined {
  const bytes = read(address, WORD);
  return bytes && nativeWords().size(bytes, 0);
}
