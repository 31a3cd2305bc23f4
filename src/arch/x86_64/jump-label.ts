/** How code branches on a static key (the kernel's asm/jump_label.h): by an instruction that the kernel rewrites. */

import type { HeaderForm } from "../kernel-sources.ts";

/**
 * The header's two branches as ones that read the key's count. A branch is taken, as
 * the instruction is a jump, if the key's state is not `branch`. A count below 0 is
 * that of a key that is being enabled. The kernel's own header is included, its two
 * branches under other names, so that whatever else is in it stays.
 */
export const jumpLabels: HeaderForm = {
  header: "arch/x86/include/asm/jump_label.h",
  rewritten: askingForKeys,
};

function askingForKeys(header: string): string {
  return `#ifndef SUTURE_JUMP_LABEL_H
#define SUTURE_JUMP_LABEL_H
#define arch_static_branch suture_arch_static_branch
#define arch_static_branch_jump suture_arch_static_branch_jump
${header}
#undef arch_static_branch
#undef arch_static_branch_jump
#ifndef __ASSEMBLER__
static __always_inline bool arch_static_branch(struct static_key *const key, const bool branch)
{
	return (*(const volatile int *)&key->enabled.counter != 0) != branch;
}
static __always_inline bool arch_static_branch_jump(struct static_key *const key, const bool branch)
{
	return arch_static_branch(key, branch);
}
#endif
#endif
`;
}
