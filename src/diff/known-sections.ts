/**
 * The sections whose code and data a livepatch can bring: a closed list. What a
 * name that is not here means for code that comes later, and for whoever gathers
 * such sections, is not known. Source: the kernel's asm-generic/vmlinux.lds.h,
 * and kernel/module/main.c for those that the module loader looks for.
 */
import type { RefusalCode } from "../lib/codes.ts";
import { TRACEPOINT_STRINGS } from "./roles.ts";
import { REQUEST_SECTIONS } from "./selection.ts";
import type { Atom, UnitSection } from "./unit.ts";

/**
 * Those that the compiler makes with a section for each function and object; no second dot, which the
 * kernel's own have, but for its own labels: gcc's of what checks report by, clang's of constants without a name.
 */
const OF_THE_COMPILER = /^\.(text|data|bss|rodata)(\.[^.].*|\.\.Lubsan_(data|type)\d+)?$|^\.rodata\.\.L./;

const CODE = [
  // Where code lies says how it is profiled, probed or unwound: a livepatch's is that of a module.
  ...[".ref.text", ".sched.text", ".spinlock.text", ".cpuidle.text", ".irqentry.text", ".softirqentry.text"],
  // The loader looks for these in a module, so that they mean there what they mean in the kernel.
  ...[".noinstr.text", ".kprobes.text"],
  // Parts of functions, and the trampolines of static calls.
  ...[".fixup", ".text..refcount", ".altinstr_replacement", ".altinstr_aux", ".static_call.text"],
  ...[".exit.text", ".meminit.text"],
];

const DATA = [
  ...[".data..read_mostly", ".data..cacheline_aligned", ".data..page_aligned", ".bss..page_aligned"],
  ...[
    ".data..once",
    ".data..do_once",
    ".data..unlikely",
    ".rodata..c_jump_table",
    ".ref.data",
    ".ref.rodata",
    ".exit.data",
    ".meminit.data",
    ".meminit.rodata",
  ],
  // The loader looks for these in a module.
  ...[".data..ro_after_init", ".data..percpu", "__dyndbg", "__verbose", "__trace_printk_fmt"],
  ...[".data..percpu..read_mostly", ".data..percpu..shared_aligned", ".data..percpu..page_aligned"],
  // The strings of tracepoints that a changed function uses, and the kernel has.
  "__tracepoints_strings",
  // Pointers to strings that events show; user space is told of the kernel's own alone, and sees an address for others.
  TRACEPOINT_STRINGS,
  // What a list of ids holds is filled in before.
  ".BTF_ids",
];

const KERNEL: ReadonlySet<string> = new Set([...CODE, ...DATA]);

/** A section of such a name can be walked from `__start_NAME` to `__stop_NAME`, and is not walked anew. */
const WALKED = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Whether new code or data of such a section does in a livepatch what it would do in the object. */
export function isKnown({ name, environment }: UnitSection): boolean {
  if (name.startsWith(REQUEST_SECTIONS)) return true;
  if (environment === "program") return !WALKED.test(name);
  return OF_THE_COMPILER.test(name) || name.startsWith(".data.rel.ro") || KERNEL.has(name);
}

/** Where in code constants stand that are known when the kernel has booted. Source: asm/runtime-const.h. */
const RUNTIME_CONSTANT = /^runtime_[a-z]+_(\w+)$/;

type Why = readonly [code: RefusalCode, what: string, hint: string];

/** What a changed function cannot have, by the section that tells of a place in it. */
export function whyNotHeld({ section }: Atom): Why | undefined {
  const constant = RUNTIME_CONSTANT.exec(section.name)?.[1];
  if (section.environment !== "kernel" || constant === undefined) return undefined;
  return [
    "RUNTIME_CONSTANT",
    `what changes holds the constant ${constant}, which the kernel fills in when it boots, in its own code alone`,
    "put the change into a function of its own, without the constant",
  ];
}

/** What a section is that code of a livepatch cannot be in. */
export function whyNotBrought(atom: Atom): Why {
  const { name, section } = atom;
  const why = whyNotHeld(atom);
  if (why !== undefined) return why;
  if (section.name === "__tracepoints")
    return [
      "TRACEPOINT_NEW",
      `the tracepoint ${name.replace(/^__tracepoint_/, "")} is new, and nobody could switch it on: the kernel knows the tracepoints that it was started with`,
      "trace with a tracepoint that is there, or with pr_debug() or trace_printk()",
    ];
  if (/^\.t(data|bss)\b/.test(section.name))
    return [
      "THREAD_LOCAL_NEW",
      `${name} is thread-local, and code of the kernel has no thread-local variables`,
      "use a per-CPU variable, or a shadow variable of the task",
    ];
  if (section.name === ".entry.text")
    return [
      "SECTION_NOT_KNOWN",
      `${name} lies in ${section.name}, which is mapped while user space runs, as no livepatch is`,
      "change code that the entry code calls",
    ];
  return [
    "SECTION_NOT_KNOWN",
    `${name} lies in ${section.name}, and what that section means for what comes later is not known`,
    "leave out what puts it there, or do it in another way",
  ];
}
