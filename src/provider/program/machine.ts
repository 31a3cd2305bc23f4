/** Packages also compile for other machines and ABIs: those units are no part of an x86-64 program. */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { basename } from "node:path";
import { EM } from "../../elf/constants.ts";
import type { CompileCommand } from "./command-line.ts";

const HEADER_BYTES = 20;
const ELF_MAGIC = 0x7f454c46;
const ELFCLASS64 = 2;

/** Whether a file that starts so is one of 64-bit x86-64. */
export function isX86_64(head: Buffer): boolean {
  const isElf = head.length >= HEADER_BYTES && head.readUInt32BE(0) === ELF_MAGIC;
  return isElf && head[4] === ELFCLASS64 && head.readUInt16LE(18) === EM.X86_64;
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
    const head = Buffer.alloc(HEADER_BYTES);
    const isWhole = readSync(file, head, 0, HEADER_BYTES, 0) === HEADER_BYTES;
    return isWhole && head.readUInt32BE(0) === ELF_MAGIC ? head : undefined;
  } finally {
    closeSync(file);
  }
}

/** Whether the command makes such a file: what it made says it, where that is still there. */
export function isForX86_64({ compiler, args, object }: CompileCommand): boolean {
  const made = object === undefined ? undefined : elfHead(object);
  if (made !== undefined) return isX86_64(made);
  // What the linker's optimizer is given may be no ELF file: that it is used is said of the unit itself.
  const isOther = object !== undefined && (statSync(object, { throwIfNoEntry: false })?.size ?? 0) > 0;
  if (isOther && !args.some((arg) => arg.startsWith("-flto"))) return false;
  const width = args.findLast((arg) => /^-m(16|32|x32|64)$/.test(arg));
  if (width !== undefined && width !== "-m64") return false;
  const at = args.findLastIndex((arg) => /^(--target=|-target$)/.test(arg));
  const named = at < 0 ? undefined : args[at] === "-target" ? args[at + 1] : args[at]?.replace("--target=", "");
  const [, prefix] =
    /^(\w+(?:-\w+){1,3})-(?:gcc|g\+\+|cc|c\+\+|clang|clang\+\+)(?:-[\d.]+)?$/.exec(basename(compiler)) ?? [];
  return [named, prefix].every((triple) => triple === undefined || /^(x86_64|amd64)-(?!.*x32)/.test(triple));
}
