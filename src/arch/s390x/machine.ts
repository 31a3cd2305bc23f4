/**
 * s390x, big-endian. Instructions of 2, 4 or 6 bytes, as the two highest bits of each
 * say, so that code can be read from any instruction on; what is relative counts
 * halfwords from the instruction's start and lies behind its first halfword. A kernel's
 * functions are hooked by six bytes without effect at their entry, which the compiler
 * itself lists; nothing runs behind the compiler. References to what may lie elsewhere go
 * through slots (GOTENT), which the image has and the module loader makes.
 */
import type { Arch } from "../arch.ts";
import { code } from "./code.ts";
import { kernel } from "./kernel.ts";
import { elf } from "./relocations.ts";
import { toolchain } from "./toolchain.ts";

/** For code of 64 bits in its only byte order; that of 31 bits is none of it. */
export const s390x: Arch = { name: "s390x", elf, code, kernel, toolchain };
