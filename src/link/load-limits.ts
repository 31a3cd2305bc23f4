/**
 * What the module loader has no room for, so that the livepatch could never be
 * loaded. Source: the kernel's kernel/module/main.c (percpu_modalloc,
 * get_offset), include/linux/percpu.h.
 */
import type { ElfAbi } from "../arch/elf-abi.ts";
import { SHF } from "../elf/constants.ts";
import { type Findings, findingsOf } from "../patch/findings.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import type { Image, OutputSection } from "./image.ts";
import type { LoadLimits } from "./input.ts";

/** The one section in which the module loader looks for per-CPU variables. */
export const PER_CPU = ".data..percpu";
/**
 * To be asked once all is placed. Refusals: `ALIGNMENT_TOO_LARGE`,
 * `RELOCATION_NOT_LOADABLE`, `PERCPU_TOO_LARGE`, `MODULE_TOO_LARGE`; the note
 * `PERCPU_SHARED` where only the running kernel knows what is left.
 */
export function loadLimits(image: Image, { perCpuReserve }: LoadLimits): Findings {
  const { elf, kernel } = image.arch;
  // Memory of modules begins at a page's start, and at no larger boundary.
  const { pageSize, moduleRegion } = kernel;
  const refusals: Refusal[] = [];
  const inMemory = [...image.sections.values()].filter(({ flags }) => (flags & SHF.ALLOC) !== 0);
  for (const { name, alignment } of inMemory) {
    if (alignment <= pageSize) continue;
    const what = `data in ${name} is to start at a multiple of ${alignment}, and the memory of a module starts at one of ${pageSize}`;
    refusals.push(refusal("ALIGNMENT_TOO_LARGE", what, name, "allocate it in a pre-patch callback"));
  }
  for (const section of inMemory) refusals.push(...unknownFields(section, elf));
  const perCpu = image.sections.get(PER_CPU);
  const shared = perCpu === undefined || perCpu.size === 0 ? {} : perCpuFindings(perCpu, perCpuReserve);
  const total = inMemory.reduce((sum, { size }) => sum + size, 0);
  if (total > moduleRegion)
    refusals.push(
      refusal(
        "MODULE_TOO_LARGE",
        `the livepatch takes ${total} bytes, and the kernel has ${moduleRegion} for all modules`,
        largest(inMemory),
        "allocate large variables in a pre-patch callback",
      ),
    );
  return findingsOf({ refusals }, shared);
}

function unknownFields({ name, fields }: OutputSection, elf: ElfAbi): Refusal[] {
  const unknown = new Set(fields.map(({ type }) => type).filter((type) => !elf.isLoadable(type)));
  return [...unknown].map((type) =>
    refusal(
      "RELOCATION_NOT_LOADABLE",
      `a field in ${name} is to be filled in by a relocation of type ${elf.relocationName(type)}, which the module loader does not know`,
      name,
      "name the address in C code, and not in assembly of the diff's own",
    ),
  );
}

function perCpuFindings({ size }: OutputSection, reserve: number): Partial<Findings> {
  if (size > reserve) {
    const what = `new per-CPU variables take ${size} bytes on each processor, and the kernel keeps ${reserve} for those of all modules`;
    const hint = "allocate them with alloc_percpu() in a pre-patch callback, and free them in a post-unpatch one";
    return { refusals: [refusal("PERCPU_TOO_LARGE", what, PER_CPU, hint)] };
  }
  const text = `new per-CPU variables take ${size} of the ${reserve} bytes that all modules share: where those that are loaded have left less, the livepatch cannot be loaded`;
  return { notes: [{ code: "PERCPU_SHARED", text }] };
}

function largest(sections: readonly OutputSection[]): string {
  return sections.reduce((a, b) => (b.size > a.size ? b : a)).name;
}
