/** How code branches on a static key (the kernel's asm/jump_label.h): by an instruction that the kernel rewrites. */

import type { JumpLabels } from "../kernel-sources.ts";

/** The kernel's own header is included, its two branches under other names, so that whatever else is in it stays. */
export const jumpLabels: JumpLabels = {
  header: "arch/x86/include/asm/jump_label.h",
  askingForKeys,
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
