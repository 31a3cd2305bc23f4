import type { KernelAbi } from "../kernel-abi.ts";
import { DROPPED_ON_ALL_MACHINES } from "../special-section.ts";
import { sources } from "./kernel-sources.ts";
import { moduleCode } from "./module-code.ts";
import { SPECIAL_SECTIONS } from "./special-sections.ts";

/** Source: the kernel's arch/s390. */
export const kernel: KernelAbi = {
  specialSections: SPECIAL_SECTIONS,
  droppedSections: DROPPED_ON_ALL_MACHINES,
  loadTimeSections: new Set(),
  // brcl 0,0 at the entry: six bytes without effect, which the compiler lists in __mcount_loc.
  entryHook: { callee: undefined, farthest: 0 },
  moduleCode,
  cacheLine: 256,
  pageSize: 4096,
  // MODULES_LEN; source: asm/pgtable.h.
  moduleRegion: 0x8000_0000,
  sources,
};
