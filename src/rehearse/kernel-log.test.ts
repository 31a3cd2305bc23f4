import fc from "fast-check";
import { expect, test } from "vitest";
import { vm } from "../arch/x86_64/vm.ts";
import { classify, findingsIn, parseLogLine } from "./kernel-log.ts";

const kindOf = (raw: string): string | undefined => classify(parseLogLine(raw), vm.faults);

test("a line of the console is level, time and text", () => {
  expect(parseLogLine("<5>[    2.010841] livepatch: enabling patch 'lp'")).toEqual({
    level: 5,
    seconds: 2.010841,
    text: "livepatch: enabling patch 'lp'",
  });
  expect(parseLogLine("<12>[    2.01][  T123] from user space")).toEqual({
    level: 4,
    seconds: 2.01,
    text: "from user space",
  });
  expect(parseLogLine("SeaBIOS (version 1.16.2)")).toEqual({
    level: undefined,
    seconds: undefined,
    text: "SeaBIOS (version 1.16.2)",
  });
});

test.each([
  "<4>[ 2.063125] lp: loading out-of-tree module taints kernel.",
  "<5>[ 2.063596] lp: tainting kernel with TAINT_LIVEPATCH",
  "<5>[ 2.065225] lp: module verification failed: signature and/or required key missing - tainting kernel",
  "<5>[ 2.110841] livepatch: enabling patch 'lp'",
  "<5>[ 2.126859] livepatch: 'lp': starting patching transition",
  "<5>[ 2.127859] livepatch: 'lp': patching complete",
  "<5>[ 2.127859] livepatch: 'lp': starting unpatching transition",
  "<5>[ 2.127859] livepatch: 'lp': unpatching complete",
  "<5>[ 2.127859] livepatch: applying patch 'lp' to loading module 'fuse'",
  "<5>[ 2.127859] livepatch: reverting patch 'lp' on unloading module 'fuse'",
  "<5>[ 2.127859] livepatch: signaling remaining tasks",
  "<6>[ 2.5] fuse: init (API version 7.38)",
  "<4>[ 2.5] ",
])("%s is no finding", (line) => {
  expect(kindOf(line)).toBeUndefined();
});

test.each([
  ["warning", "<4>[ 2.5] WARNING: CPU: 0 PID: 160 at fs/proc/cmdline.c:7 cmdline_proc_show+0x11/0x1a"],
  ["oops", "<1>[ 2.5] BUG: kernel NULL pointer dereference, address: 0000000000000008"],
  ["oops", "<1>[ 2.5] BUG: unable to handle page fault for address: ffffffffc05dcfe7"],
  ["oops", "<4>[ 2.5] Oops: 0002 [#1] PREEMPT SMP NOPTI"],
  ["oops", "<4>[ 2.5] general protection fault, probably for non-canonical address 0xdead000000000122: 0000 [#1]"],
  ["oops", "<2>[ 2.5] kernel BUG at mm/slub.c:4118!"],
  ["oops", "<0>[ 2.5] Kernel panic - not syncing: Fatal exception"],
  ["oops", "<0>[ 2.5] Missing ENDBR: proc_reg_read+0x0/0x90"],
  ["bug", "<3>[ 2.5] BUG: scheduling while atomic: cat/160/0x00000002"],
  ["bug", "<3>[ 2.5] BUG: sleeping function called from invalid context at mm/slab.h:494"],
  ["lockdep", "<4>[ 2.5] WARNING: possible circular locking dependency detected"],
  ["lockdep", "<4>[ 2.5] WARNING: inconsistent lock state"],
  ["rcu", "<4>[ 2.5] WARNING: suspicious RCU usage"],
  ["rcu", "<3>[ 2.5] rcu: INFO: rcu_preempt self-detected stall on CPU"],
  ["rcu", "<3>[ 2.5] rcu: rcu_preempt kthread starved for 5248 jiffies! g-471 f0x0 RCU_GP_WAIT_FQS(5)"],
  ["hang", "<0>[ 2.5] watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [cat:155]"],
  ["hang", "<3>[ 2.5] INFO: task cat:155 blocked for more than 120 seconds."],
  ["memory", "<3>[ 2.5] BUG: KASAN: use-after-free in cmdline_proc_show+0x11/0x1a"],
  ["memory", "<3>[ 2.5] BUG kmalloc-64 (Tainted: G): Poison overwritten"],
  ["memory", "<4>[ 2.5] refcount_t: underflow; use-after-free."],
  ["trace", "<6>[ 2.5] Call Trace:"],
  ["livepatch", "<3>[ 2.5] livepatch: symbol 'no_such_function' not found in symbol table"],
  ["livepatch", "<4>[ 2.5] livepatch: patch 'lp' failed for module 'fuse', refusing to load module 'fuse'"],
  ["module", "<3>[ 2.5] module: x86/modules: Skipping invalid relocation target, existing value is nonzero for type 1"],
  ["module", "<4>[ 2.5] lp: Unknown symbol klp_enable_patch (err -2)"],
  ["module", "<4>[ 2.5] lp: disagrees about version of symbol module_layout"],
  ["unexpected", "<3>[ 2.5] something else went wrong"],
])("a finding of kind %s: %s", (kind, line) => {
  expect(kindOf(line)).toBe(kind);
});

const WARNING = `<4>[ 2.1] ------------[ cut here ]------------
<4>[ 2.1] the message of the warning
<4>[ 2.1] WARNING: CPU: 0 PID: 160 at lp.c:7 replacement+0x11/0x1a [lp]
<4>[ 2.1] Modules linked in: lp(OEK)
<4>[ 2.1] CPU: 0 PID: 160 Comm: cat Tainted: G           OE K
<4>[ 2.1] RIP: 0010:replacement+0x11/0x1a [lp]
<4>[ 2.1] RAX: 0000000000000000 RBX: ffff8cb7d57d10f0 RCX: c0000000ffffefff
<4>[ 2.1] Call Trace:
<4>[ 2.1]  <TASK>
<4>[ 2.1]  seq_read_iter+0x122/0x450
<4>[ 2.1]  </TASK>
<4>[ 2.1] ---[ end trace 0000000000000000 ]---`;

test("a warning with its message, registers and call trace is one finding", () => {
  const lines = WARNING.split("\n").map(parseLogLine);
  const findings = findingsIn([...lines, parseLogLine("<6>[ 2.2] fuse: init"), ...lines], vm.faults);
  expect(findings.map(({ kind, line }) => [kind, line])).toEqual([
    ["warning", "WARNING: CPU: 0 PID: 160 at lp.c:7 replacement+0x11/0x1a [lp]"],
    ["warning", "WARNING: CPU: 0 PID: 160 at lp.c:7 replacement+0x11/0x1a [lp]"],
  ]);
  expect(findings[0]?.context).toContain("the message of the warning");
  expect(findings[0]?.context).toContain(" seq_read_iter+0x122/0x450");
});

test("a line that the kernel prints without the livepatch as well is passed over", () => {
  const lines = ["<4>[ 2.1] fuse: this is odd", "<4>[ 2.1] fuse: this is new"].map(parseLogLine);
  expect(findingsIn(lines, vm.faults, new Set(["fuse: this is odd"])).map(({ line }) => line)).toEqual([
    "fuse: this is new",
  ]);
});

test("any line is read, and a line of warning level is either a notice or accounted for", () => {
  fc.assert(
    fc.property(fc.array(fc.string()), (texts) => {
      const findings = findingsIn(
        texts.map((text) => ({ level: 3, seconds: 1, text })),
        vm.faults,
      );
      const counted = findings.reduce((sum, { context }) => sum + 1 + context.length, 0);
      expect(counted).toBeGreaterThanOrEqual(Math.min(1, texts.filter((text) => text.trim() !== "").length));
    }),
  );
});
