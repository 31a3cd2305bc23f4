import { SutureError } from "../lib/error.ts";

/** A command line that cannot be understood, or lacks something; `name` is the command's, where it is known. */
export function usage(what: string, name: string | undefined): SutureError {
  return new SutureError("USAGE", what, { hint: name === undefined ? "suture --help" : `suture ${name} --help` });
}
