import { SPECIAL_SECTIONS } from "../arch/x86_64/special-sections.ts";
import type { DiffOptions } from "../diff/options.ts";
import type { ElfFile } from "../elf/model.ts";
import type { LinkedObject } from "./linked-object.ts";

const MODULE_SYMBOLS = new Set(["__this_module", "init_module", "cleanup_module"]);
const HOOK_SYMBOLS = new Set(["__fentry__", "mcount"]);
const KERNEL_SECTIONS = new Set([".modinfo", ".init.text", ...SPECIAL_SECTIONS.map(({ name }) => name)]);

/** What two objects tell of the code that they are part of, for want of a command line that says it. */
export function kernelTraits(original: ElfFile, patched: ElfFile, linked: LinkedObject | undefined): DiffOptions {
  const both = [original, patched];
  const hasSymbol = (names: ReadonlySet<string>): boolean =>
    both.some(({ symbols }) => symbols.some(({ name }) => names.has(name)));
  return {
    isModule: linked?.isModule ?? hasSymbol(MODULE_SYMBOLS),
    needsHook:
      hasSymbol(HOOK_SYMBOLS) || both.some(({ sections }) => sections.some(({ name }) => KERNEL_SECTIONS.has(name))),
  };
}
