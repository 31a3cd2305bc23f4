/** What a section of a kernel object is for, told by its name and flags. Source: the kernel's include/linux/init.h, asm-generic/vmlinux.lds.h. */
import type { Arch } from "../arch/arch.ts";
import { SHF, SHT } from "../elf/constants.ts";

/** What becomes of a section once its object runs, which decides what a difference in it means. */
export type Role =
  | "code"
  | "data"
  | "constant"
  /** Mergeable strings, and mergeable constants of one size: a linker may fold equal ones. */
  | "literals"
  /** Code and data that are freed once the kernel or the module is up. */
  | "init"
  /** Read by the kernel once, at boot or when a module is loaded: parameters, exports, fixups. */
  | "load-time"
  /** Entries about places in the code. */
  | "table"
  /** Not part of the running image. */
  | "dropped";

/** Not `.meminit.*`: a kernel to which memory can be added keeps it. */
const INIT = /^\.(init\.|initcall|con_initcall|head\.text|devinit\.|cpuinit\.)/;
const LOAD_TIME =
  /^(__param|\.modinfo|__modver|___?ksymtab.*|___?kcrctab.*|___?kflagstab.*|__ksymtab_strings|\.export_symbol|\.pci_fixup.*|\.exitcall\.exit|\.init\.setup|__versions|\.gnu\.linkonce\.this_module|_ftrace_events|_ftrace_eval_map|__tracepoints_ptrs|_error_injection_whitelist|\.acpi_probe_table|__earlycon_table|__irqchip_of_table|\.tracepoint_str|__bpf_raw_tp_map|__syscalls_metadata|\.builtin_fw|__thermal_table_entry|\.init_array.*|\.ctors.*)$/;

/** Pointers to functions that run while the kernel starts. */
export const INITCALL = /^\.(con_)?initcall/;

/** struct kernel_param: read when the object is loaded, and at each access to /sys/module/NAME/parameters. */
export const PARAMETERS = "__param";

/** The pointers of tracepoint_string(): variables that nobody writes. */
export const TRACEPOINT_STRINGS = "__tracepoint_str";

/** Of those, the ones that the running kernel goes through again: at each device that comes, or wakes; at each firmware that is asked for. */
export const READ_AGAIN = /^\.(pci_fixup|builtin_fw)/;

/** Of a program or a library: functions that run when it ends, or is unloaded, out of the table that was linked. */
export const RUN_AT_END = /^\.(fini_array|dtors)(\.|$)/;

const EXIT = /^\.exit\.(text|data)$/;

/** What is there no more once its object is up: of the kernel's own, the code for taking things out as well. */
export function isFreed({ name, role }: { readonly name: string; readonly role: Role }, isModule: boolean): boolean {
  return role === "init" || (!isModule && EXIT.test(name));
}

/** Variables that nobody can write to once their object is up. */
export const READ_ONLY_LATER = /^\.data\.\.ro_after_init/;

/** What an object is compiled for: it decides what sections' names mean, and which static locals macros make. */
export type Environment = "kernel" | "program";

/** Tables of functions that run when a program or library is loaded. */
export const CONSTRUCTORS = /^\.(preinit_array|init_array|ctors)(\.|$)/;

/** Read once when a program is loaded or ends: constructors and destructors. */
const RUN_ONCE = /^\.(preinit_array|init_array|fini_array|ctors|dtors)(\.|$)/;

interface Section {
  readonly name: string;
  /** SHT_* */
  readonly type: number;
  /** SHF_* */
  readonly flags: number;
}

/** By name and flags; `type` is SHT_*, `flags` SHF_*. A name that is not known counts by its flags. */
export function roleOf(section: Section, environment: Environment, { kernel }: Arch): Role {
  return environment === "kernel" ? kernelRole(section, kernel) : programRole(section);
}

function programRole({ name, type, flags }: Section): Role {
  if ((flags & SHF.ALLOC) === 0 || type === SHT.NOTE || /^\.(eh_frame|gcc_except_table)/.test(name)) return "dropped";
  if (RUN_ONCE.test(name)) return "load-time";
  return plainRole(name, flags);
}

function kernelRole({ name, type, flags }: Section, kernel: Arch["kernel"]): Role {
  if ((flags & SHF.ALLOC) === 0 || type === SHT.NOTE) return "dropped";
  if (kernel.droppedSections.some((prefix) => name.startsWith(prefix))) return "dropped";
  if (kernel.specialSections.some((table) => table.name === name) || name === kernel.unwindTable?.rows) return "table";
  if (INIT.test(name)) return "init";
  if (LOAD_TIME.test(name) || kernel.loadTimeSections.has(name)) return "load-time";
  return plainRole(name, flags);
}

function plainRole(name: string, flags: number): Role {
  if (flags & SHF.EXECINSTR) return "code";
  if (flags & SHF.MERGE && (flags & SHF.WRITE) === 0) return "literals";
  if (flags & SHF.WRITE) return isReadMostly(name) ? "constant" : "data";
  return "constant";
}

/** gcc marks read-only tables that hold addresses writable where they have to be relocated. */
function isReadMostly(name: string): boolean {
  return name.startsWith(".data.rel.ro") || name === TRACEPOINT_STRINGS;
}
