/** What the Linux kernel of one machine keeps beside code, how its functions are hooked, and how it is built and shipped. */
import type { KernelSources } from "./kernel-sources.ts";
import type { ModuleCode } from "./module-code.ts";
import type { RewrittenTable } from "./rewritten-table.ts";
import type { SpecialSection } from "./special-section.ts";

/** What is undefined here is something that this machine's kernel does without, or that suture cannot do for it. */
export interface KernelAbi {
  readonly specialSections: readonly SpecialSection[];
  /** Beginnings of the names of sections that the kernel's tools fill for their own use and that no livepatch needs. */
  readonly droppedSections: readonly string[];
  /** Sections of this machine's that the kernel reads once, at boot or when a module is loaded. */
  readonly loadTimeSections: ReadonlySet<string>;
  /** A table to unwind by in two sections in step: the addresses, and what holds from each on; undefined where code needs none. */
  readonly unwindTable?: { readonly addresses: string; readonly rows: string };
  /** A section of code that alternatives lead away from for good: no task is in it once they are applied. */
  readonly beforeAlternatives?: string;
  readonly entryHook: EntryHook;
  /** A jump at a function's entry, written while the machine stands still; undefined where suture has none for this machine. */
  readonly entryJump?: EntryJump;
  /** All that a running kernel rewrites in its own code; undefined where nobody has looked at this machine's. */
  readonly rewrites?: readonly RewrittenTable[];
  /** What a kprobe writes: the sizes of its breakpoint, and of the jump that the kernel makes of it. */
  readonly probe?: { readonly breakpoint: number; readonly jump: number };
  readonly moduleCode: ModuleCode;
  /** Of a cache line, bytes: how the kernel aligns struct module. */
  readonly cacheLine: number;
  /** Of the smallest page, bytes. */
  readonly pageSize: number;
  /** Bytes of addresses that all modules share. */
  readonly moduleRegion: number;
  /** Direct calls as the whole image shows them; undefined where nobody has looked at this machine's. */
  readonly calls?: CallScan;
  readonly sources: KernelSources;
}

/** How ftrace takes hold of a function. Where a function has an entry of a special section of hooks, that one says it. */
export interface EntryHook {
  /** What the compiled-in call at an entry calls; undefined where the compiler leaves an instruction without effect. */
  readonly callee: string | undefined;
  /** What stands there while nobody uses it; undefined where nobody has looked. */
  readonly unused?: Buffer;
  /** So far behind the entry the call's field may lie, bytes. */
  readonly farthest: number;
}

/** How a function without a hook is led to its new version. */
export interface EntryJump {
  /** Bytes. */
  readonly size: number;
  /** From the call at the entry to its relocated field. */
  readonly callField: number;
  /**
   * Where the jump may lie, behind what must stay at the entry.
   * @param entry offset of the entry in `code`
   * @param isHook whether ftrace's call lies at an offset
   */
  offset(code: Buffer, entry: number, isHook: (offset: number) => boolean): number;
}

/** A place that looks like a call or jump to one of the wanted places. */
export interface CallSite {
  /** Offset of the instruction. */
  readonly at: number;
  readonly target: number;
}

/** By bytes alone: good enough to tell somebody, not to decide what is patched. */
export interface CallScan {
  /** @param base address of the code's first byte, as a signed 64-bit value */
  directCalls(code: Buffer, base: number, isWanted: (target: number) => boolean): CallSite[];
  /** The addresses that are loaded as a first argument before a call, the nearest first. */
  firstArguments(code: Buffer, base: number, call: number): number[];
}
