import { SutureError } from "../lib/error.ts";

/** `TARGET_GONE`: the process has ended, or runs another program. Nothing can be left half done in what is no more. */
export function systemGone(why: string): SutureError {
  return new SutureError("TARGET_GONE", `what was patched is no more: ${why}`, {
    hint: "a program that starts again runs without patches",
  });
}
