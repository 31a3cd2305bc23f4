import { SutureError } from "../lib/error.ts";

export function systemGone(why: string): SutureError {
  return new SutureError("TARGET_GONE", `what was patched is no more: ${why}`, {
    hint: "a program that starts again runs without patches",
  });
}
