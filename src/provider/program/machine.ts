/** Packages also compile for other machines and ABIs: those units are no part of a program that runs here. */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { basename } from "node:path";
import { archOfHost, archOfMachine } from "../../arch/registry.ts";
import { IDENTITY_BYTES, identityOf, isElf } from "../../elf/identity.ts";
import type { CompileCommand } from "./command-line.ts";

/** Whether a file that starts so is for the machine that runs here. */
export function isForHost(start: Buffer): boolean {
  const identity = identityOf(start);
  return identity !== undefined && archOfMachine(identity.machine, identity.endian) === archOfHost();
}

/** How an ELF file starts; undefined for what is none, or cannot be read. */
export function elfHead(path: string): Buffer | undefined {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return undefined;
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return undefined;
  }
  try {
    const start = Buffer.alloc(IDENTITY_BYTES);
    const isWhole = readSync(file, start, 0, IDENTITY_BYTES, 0) === IDENTITY_BYTES;
    return isWhole && isElf(start) ? start : undefined;
  } finally {
    closeSync(file);
  }
}

/** Whether the command makes such a file: what it made says it, where that is still there. */
export function makesForHost({ compiler, args, object }: CompileCommand): boolean {
  const made = object === undefined ? undefined : elfHead(object);
  if (made !== undefined) return isForHost(made);
  // What the linker's optimizer is given may be no ELF file: that it is used is said of the unit itself.
  const isOther = object !== undefined && (statSync(object, { throwIfNoEntry: false })?.size ?? 0) > 0;
  if (isOther && !args.some((arg) => arg.startsWith("-flto"))) return false;
  const { triple, width } = archOfHost().toolchain;
  const chosen = width && args.findLast((arg) => width.any.test(arg));
  if (chosen !== undefined && chosen !== width?.own) return false;
  const at = args.findLastIndex((arg) => /^(--target=|-target$)/.test(arg));
  const named = at < 0 ? undefined : args[at] === "-target" ? args[at + 1] : args[at]?.replace("--target=", "");
  const [, prefix] =
    /^(\w+(?:-\w+){1,3})-(?:gcc|g\+\+|cc|c\+\+|clang|clang\+\+)(?:-[\d.]+)?$/.exec(basename(compiler)) ?? [];
  return [named, prefix].every((each) => each === undefined || triple.test(each));
}
