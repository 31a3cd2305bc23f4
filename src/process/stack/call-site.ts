/** The call instruction before a return address, where it is certain which one it is. */
import type { TryRead } from "../../arch/call-code.ts";
import { nativeCalls } from "../os/native.ts";
import { linkedTo } from "./linkage.ts";

/**
 * Address of the call that returns there, if it is a direct one of one of these functions,
 * itself or by a linkage table.
 */
export function callSite(returnAddress: number, entries: ReadonlySet<number>, read: TryRead): number | undefined {
  const call = nativeCalls().directCallBefore(returnAddress, read);
  if (call === undefined) return undefined;
  return entries.has(call.target) || entries.has(linkedTo(call.target, read) ?? -1) ? call.at : undefined;
}
