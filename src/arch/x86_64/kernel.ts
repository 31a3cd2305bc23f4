import type { KernelAbi } from "../kernel-abi.ts";
import { DROPPED_ON_ALL_MACHINES } from "../special-section.ts";
import { directCalls, firstArguments } from "./call-scan.ts";
import { entryJump } from "./entry-jump.ts";
import { sources } from "./kernel-sources.ts";
import { moduleCode } from "./module-code.ts";
import { REWRITTEN_TABLES } from "./rewritten-tables.ts";
import { ORC_ADDRESSES, ORC_DATA, SPECIAL_SECTIONS } from "./special-sections.ts";

/** Source: the kernel's arch/x86. */
export const kernel: KernelAbi = {
  specialSections: SPECIAL_SECTIONS,
  droppedSections: [...DROPPED_ON_ALL_MACHINES, ".orc_header"],
  loadTimeSections: new Set([".apicdrivers", ".x86_cpu_dev.init"]),
  unwindTable: { addresses: ORC_ADDRESSES, rows: ORC_DATA },
  // static_cpu_has; source: vmlinux.lds.S of x86.
  beforeAlternatives: ".altinstr_aux",
  // Behind an `endbr64` where there is one.
  // A NOP of five bytes: x86_nops of arch/x86/kernel/alternative.c.
  entryHook: { callee: "__fentry__", farthest: 5, unused: Buffer.from([0x0f, 0x1f, 0x44, 0x00, 0x00]) },
  entryJump,
  rewrites: REWRITTEN_TABLES,
  // int3, jmp rel32
  probe: { breakpoint: 1, jump: 5 },
  moduleCode,
  cacheLine: 64,
  pageSize: 4096,
  // MODULES_END - MODULES_VADDR where addresses are randomized; source: asm/pgtable_64_types.h.
  moduleRegion: 0x3f00_0000,
  calls: { directCalls, firstArguments },
  sources,
};
