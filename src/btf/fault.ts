import { SutureError } from "../lib/error.ts";

/** What is wrong with the BTF called `name`. */
export function corrupt(name: string, what: string): SutureError {
  return new SutureError("BTF_CORRUPT", `broken BTF: ${what}`, {
    where: name,
    hint: "take the file from its package or compile it again",
  });
}
