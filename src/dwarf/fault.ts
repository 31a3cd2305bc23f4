import { SutureError } from "../lib/error.ts";

const DAMAGED = "rebuild the file or fetch it again; `readelf --debug-dump=frames` shows what is left of it";

function where(name: string, offset: number | undefined): string {
  return offset === undefined ? name : `${name}, offset 0x${offset.toString(16)}`;
}

/** Call-frame information that contradicts itself or the format; `offset` is within the section called `name`. */
export function corrupt(name: string, offset: number | undefined, what: string): SutureError {
  return new SutureError("DWARF_CORRUPT", `broken call-frame information: ${what}`, {
    where: where(name, offset),
    hint: DAMAGED,
  });
}

/** Valid, as far as can be seen, but beyond what is read here. */
export function unsupported(name: string, offset: number | undefined, what: string): SutureError {
  return new SutureError("DWARF_UNSUPPORTED", `debugging or call-frame information with ${what} cannot be read`, {
    where: where(name, offset),
    hint: "compile with -gdwarf-4 or -gdwarf-5, in its 32-bit form; code whose frames are described otherwise cannot be unwound",
  });
}
