import { archOf } from "../arch/registry.ts";
import type { DiffOptions } from "../diff/options.ts";
import type { ElfFile } from "../elf/model.ts";
import type { LinkedObject } from "./linked-object.ts";

const MODULE_SYMBOLS = new Set(["__this_module", "init_module", "cleanup_module"]);
const KERNEL_SECTIONS = [".modinfo", ".init.text"];

/** What two objects tell of the code that they are part of, for want of a command line that says it. */
export function kernelTraits(original: ElfFile, patched: ElfFile, linked: LinkedObject | undefined): DiffOptions {
  const both = [original, patched];
  const { entryHook, specialSections } = archOf(original).kernel;
  const hooks = new Set(["mcount", ...(entryHook.callee === undefined ? [] : [entryHook.callee])]);
  const ofKernels = new Set([...KERNEL_SECTIONS, ...specialSections.map(({ name }) => name)]);
  const hasSymbol = (names: ReadonlySet<string>): boolean =>
    both.some(({ symbols }) => symbols.some(({ name }) => names.has(name)));
  return {
    isModule: linked?.isModule ?? hasSymbol(MODULE_SYMBOLS),
    needsHook: hasSymbol(hooks) || both.some(({ sections }) => sections.some(({ name }) => ofKernels.has(name))),
  };
}
