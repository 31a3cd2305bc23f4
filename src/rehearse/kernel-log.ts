/**
 * Lines of the kernel log as the guest's console prints them, and what they
 * mean for a livepatch. The console is told to print levels
 * (`console_msg_format=syslog`).
 */
import type { FaultWords } from "../arch/vm-abi.ts";
import type { LogLine } from "../targets/kernel/kernel-messages.ts";

/**
 * What a line tells of: the first kind whose words are in it. `trace` is a call trace
 * that came without anything else.
 */
export type FindingKind =
  | "oops"
  | "bug"
  | "warning"
  | "lockdep"
  | "rcu"
  | "hang"
  | "memory"
  | "trace"
  | "livepatch"
  | "module"
  /** Of warning level or worse, and not one of livepatching's notices. */
  | "unexpected";

/** A line that should not be there after a livepatch was loaded. */
export interface Finding {
  readonly kind: FindingKind;
  readonly line: string;
  /** What the kernel printed with it: registers, the call trace. */
  readonly context: readonly string[];
}

/** A line that the kernel did not write has no level and no time, and is kept as it is. */
export function parseLogLine(raw: string): LogLine {
  const match = /^(?:<(\d+)>)?\[ *(\d+\.\d+)\](?:\[ *[TC]\d+\])? ?(.*)$/.exec(raw);
  if (match === null) return { level: undefined, seconds: undefined, text: raw };
  return {
    // The priority is the facility times eight plus the level (syslog(2)).
    level: match[1] === undefined ? undefined : Number(match[1]) & 7,
    seconds: Number(match[2]),
    text: match[3] ?? "",
  };
}

const WARNING_LEVEL = 4;

/** What a livepatch, an unsigned module, our own marks and a slow virtual machine leave in the log when all is well. */
const NOTICES: readonly RegExp[] = [
  /^suture [0-9a-f]+ (begin|end) \w+$/,
  /^livepatch: enabling patch '\w+'$/,
  /^livepatch: '\w+': (starting|canceling|reversing) .*transition/,
  /^livepatch: '\w+': initializing (patching|unpatching) transition$/,
  /^livepatch: '\w+': (patching|unpatching) complete$/,
  /^livepatch: '\w+': completing (patching|unpatching) transition$/,
  /^livepatch: (applying|reverting) patch '\w+' (to|on) (loading|unloading) module '\w+'$/,
  /^livepatch: signaling remaining tasks$/,
  /^\w+: tainting kernel with TAINT_LIVEPATCH$/,
  /^\w+: loading out-of-tree module taints kernel\.$/,
  /^\w+: module verification failed: signature and\/or required key missing - tainting kernel$/,
  /^hrtimer: interrupt took \d+ ns$/,
];

const KINDS: readonly (readonly [FindingKind, RegExp])[] = [
  [
    "lockdep",
    /possible (circular|recursive|irq) |inconsistent lock state|bad unlock balance|held lock freed|lock held when returning|DEBUG_LOCKS_WARN_ON/,
  ],
  ["rcu", /suspicious RCU usage|\brcu\w*: INFO: |rcu_\w+ (kthread )?(detected|self-detected|starved)|\bRCU\b.*\bstall/],
  ["hang", /soft lockup|hard lockup|Watchdog detected|blocked for more than \d+ seconds|workqueue lockup/i],
  [
    "memory",
    /KASAN|KFENCE|KCSAN|UBSAN|kmemleak|^BUG (kmalloc|\S+ \()|Bad page|page allocation failure|refcount_t: |list_(add|del) corruption|usercopy: |Out of memory|slab-out-of-bounds|stack-protector/,
  ],
  ["oops", /^BUG: unable to handle|^BUG: kernel NULL|^Oops\b|^kernel BUG at|^Kernel panic/],
  ["bug", /^BUG: |scheduling while atomic|sleeping function called from invalid context/],
  ["warning", /^WARNING: /],
  ["trace", /^Call Trace:/],
  [
    "module",
    /Unknown symbol|Skipping invalid relocation|disagrees about version of symbol|no symbol version for|version magic|Invalid relocation|relocation.*overflow|overflow in relocation|unknown relocation|Invalid ELF|exports duplicate symbol|exec format error|Failed to find BTF|failed to validate module|section .* has invalid/i,
  ],
  ["livepatch", /^livepatch: /],
];

/** The kind of finding that a line is by itself; undefined for a notice and for anything ordinary. */
export function classify(line: LogLine, faults: FaultWords): FindingKind | undefined {
  if (NOTICES.some((notice) => notice.test(line.text))) return undefined;
  const isOf = (kind: FindingKind, pattern: RegExp): boolean =>
    pattern.test(line.text) || (kind === "oops" && faults.oops.test(line.text));
  const kind = KINDS.find(([each, pattern]) => isOf(each, pattern))?.[0];
  if (kind !== undefined) return kind;
  return line.level !== undefined && line.level <= WARNING_LEVEL && line.text.trim() !== "" ? "unexpected" : undefined;
}

const CUT_HERE = /^-+\[ cut here \]-+$/;
/** Lines that come with a warning or an oops, beside those of registers and code. */
const CONTEXT =
  /^(\s|---\[ end |rcu: \s|CPU: |Hardware name|Modules linked in|Tainted|Workqueue|Call Trace:|Unloaded tainted modules|Comm:|Sending NMI|NMI backtrace|task:|note: |Kernel Offset|<\/?(TASK|IRQ|NMI|SOFTIRQ)>|[\w.]+\+0x[0-9a-f]+\/0x)/;
const CONTEXT_LINES = 60;

/**
 * The findings in a stretch of the log; the lines that belong to one event are
 * one finding.
 *
 * @param faults of the machine that the kernel is for
 * @param ordinary texts to pass over: what the same modules print without a livepatch
 */
export function findingsIn(
  lines: readonly LogLine[],
  faults: FaultWords,
  ordinary: ReadonlySet<string> = new Set(),
): Finding[] {
  const findings: Event[] = [];
  let open: Event | undefined;
  for (const line of lines) {
    const kind = ordinary.has(line.text) ? undefined : classify(line, faults);
    if (CUT_HERE.test(line.text)) {
      open = { kind: undefined, line: line.text, context: [] };
      findings.push(open);
    } else if (open !== undefined && belongsTo(open, { ...line, kind }, faults)) {
      if (open.context.length < CONTEXT_LINES) open.context.push(line.text);
    } else if (open !== undefined && open.kind === undefined && kind !== undefined) {
      open.kind = kind;
      open.line = line.text;
    } else {
      open = kind === undefined ? undefined : { kind, line: line.text, context: [] };
      if (open !== undefined) findings.push(open);
    }
  }
  return findings.map(({ kind, line, context }) => ({ kind: kind ?? "warning", line, context }));
}

interface Event {
  /** undefined after "cut here", until the line that says what it is. */
  kind: FindingKind | undefined;
  line: string;
  readonly context: string[];
}

const MESSAGE_LINES = 5;

function belongsTo(
  open: Event,
  { text, kind }: LogLine & { readonly kind: FindingKind | undefined },
  faults: FaultWords,
): boolean {
  // The message of a WARN comes between "cut here" and the line that says where it is.
  if (open.kind === undefined)
    return (kind === undefined || kind === "unexpected") && open.context.length < MESSAGE_LINES;
  if (CONTEXT.test(text) || faults.context.test(text)) return true;
  return kind === "trace" || (kind === "oops" && open.kind === "oops");
}
