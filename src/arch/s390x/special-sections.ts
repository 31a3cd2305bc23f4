/** Source of the layouts: the kernel's arch/s390/include/asm: alternative.h, nospec-insn.h, bug.h, asm-extable.h, jump_label.h. */
import { BUG_TABLE, EXCEPTION_TABLE, JUMP_TABLE, ON_ALL_MACHINES, type SpecialSection } from "../special-section.ts";

/** Branches by registers that the kernel changes when it is to be safe from speculation. */
function nospec(name: string): SpecialSection {
  const rewrites = "an indirect branch";
  return { name, entry: 4, key: 0, fate: "travels", compared: false, rewrites };
}

/** Every table whose entries are known to belong to single places in the code. */
export const SPECIAL_SECTIONS: readonly SpecialSection[] = [
  {
    name: ".altinstructions",
    entry: { struct: "alt_instr", fallback: 11 },
    key: 0,
    fate: "travels",
    compared: true,
    rewrites: "an alternative instruction",
    leads: "replacement",
    // 12 bytes before 5.19, with two lengths.
    replacement: { at: 4, length: { 11: 10, 12: 11 } },
  },
  ...[".s390_indirect_jump", ".s390_indirect_call", ".s390_indirect_branches"].map(nospec),
  ...[".s390_return_reg", ".s390_return_mem"].map(nospec),
  BUG_TABLE,
  EXCEPTION_TABLE,
  JUMP_TABLE,
  ...ON_ALL_MACHINES,
];
