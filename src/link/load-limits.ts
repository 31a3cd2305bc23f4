/**
 * What the module loader has no room for, so that the livepatch could never be
 * loaded. Source: the kernel's kernel/module/main.c (percpu_modalloc,
 * get_offset), include/linux/percpu.h, and x86's asm/pgtable_64_types.h and
 * kernel/module.c (apply_relocate_add).
 */
import { R_X86_64 } from "../arch/x86_64/relocations.ts";
import { SHF } from "../elf/constants.ts";
import type { Note } from "../patch/metadata.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import type { Image, OutputSection } from "./image.ts";
import type { LoadLimits } from "./input.ts";

export const PER_CPU = ".data..percpu";
/** Memory of modules begins at a page's start, and at no larger boundary. */
const PAGE = 4096;
/** Bytes: MODULES_END - MODULES_VADDR where addresses are randomized. */
const MODULE_REGION = 0x3f00_0000;

export function loadLimits(
  image: Image,
  { perCpuReserve }: LoadLimits,
): {
  readonly refusals: readonly Refusal[];
  readonly notes: readonly Note[];
} {
  const refusals: Refusal[] = [];
  const notes: Note[] = [];
  const inMemory = [...image.sections.values()].filter(({ flags }) => (flags & SHF.ALLOC) !== 0);
  for (const { name, alignment } of inMemory) {
    if (alignment <= PAGE) continue;
    const what = `data in ${name} is to start at a multiple of ${alignment}, and the memory of a module starts at one of ${PAGE}`;
    refusals.push(refusal("ALIGNMENT_TOO_LARGE", what, name, "allocate it in a pre-patch callback"));
  }
  for (const section of inMemory) refusals.push(...unknownFields(section));
  const perCpu = image.sections.get(PER_CPU);
  if (perCpu !== undefined && perCpu.size > 0) checkPerCpu(perCpu, perCpuReserve, refusals, notes);
  const total = inMemory.reduce((sum, { size }) => sum + size, 0);
  if (total > MODULE_REGION)
    refusals.push(
      refusal(
        "MODULE_TOO_LARGE",
        `the livepatch takes ${total} bytes, and the kernel has ${MODULE_REGION} for all modules`,
        largest(inMemory),
        "allocate large variables in a pre-patch callback",
      ),
    );
  return { refusals, notes };
}

const LOADABLE: ReadonlySet<number> = new Set([
  ...[R_X86_64.NONE, R_X86_64[64], R_X86_64[32], R_X86_64["32S"], R_X86_64.PC32, R_X86_64.PLT32, R_X86_64.PC64],
]);

function unknownFields({ name, fields }: OutputSection): Refusal[] {
  const unknown = new Set(fields.map(({ type }) => type).filter((type) => !LOADABLE.has(type)));
  return [...unknown].map((type) =>
    refusal(
      "RELOCATION_NOT_LOADABLE",
      `a field in ${name} is to be filled in by a relocation of type ${typeName(type)}, which the module loader does not know`,
      name,
      "name the address in C code, and not in assembly of the diff's own",
    ),
  );
}

function typeName(type: number): string {
  const known = Object.entries(R_X86_64).find(([, value]) => value === type);
  return known === undefined ? `${type}` : `R_X86_64_${known[0]}`;
}

function checkPerCpu({ size }: OutputSection, reserve: number, refusals: Refusal[], notes: Note[]): void {
  if (size > reserve)
    refusals.push(
      refusal(
        "PERCPU_TOO_LARGE",
        `new per-CPU variables take ${size} bytes on each processor, and the kernel keeps ${reserve} for those of all modules`,
        PER_CPU,
        "allocate them with alloc_percpu() in a pre-patch callback, and free them in a post-unpatch one",
      ),
    );
  else
    notes.push({
      code: "PERCPU_SHARED",
      text: `new per-CPU variables take ${size} of the ${reserve} bytes that all modules share: where those that are loaded have left less, the livepatch cannot be loaded`,
    });
}

function largest(sections: readonly OutputSection[]): string {
  return sections.reduce((a, b) => (b.size > a.size ? b : a)).name;
}
