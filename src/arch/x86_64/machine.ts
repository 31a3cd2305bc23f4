/**
 * x86-64. Instructions of 1 to 15 bytes, whose relative operands count from their
 * end and lie anywhere in them, so that code has to be read from where a function
 * begins. A kernel's functions are hooked by a call at their entry that objtool or
 * the kernel itself has made a nop, unwound by ORC, and rewritten in many places
 * while the kernel starts: each has an entry in a special section.
 */

import type { Arch } from "../arch.ts";
import { code } from "./code.ts";
import { kernel } from "./kernel.ts";
import { linked } from "./linked-fields.ts";
import { plainCode } from "./plain-code.ts";
import { pointers } from "./pointers.ts";
import { process } from "./process.ts";
import { elf } from "./relocations.ts";
import { toolchain } from "./toolchain.ts";
import { vm } from "./vm.ts";

/** For code of 64 bits: that of 32 bits and x32 are none of it. */
export const x86_64: Arch = { name: "x86_64", elf, code, kernel, toolchain, plainCode, pointers, linked, process, vm };
