/** Statements that are put into functions, with what they need at file level. */
import { guarded, type Mutation, OFF, someFunction, statementEnds } from "./mutation.ts";

const NOT_AT_ONCE = /\b(__init|__exit|inline)\b/;

const guardedBy = (statement: string): string => `\tif (${OFF})\n\t\t${statement}`;

/** @param statement runs only where the variable is set */
function addition(kind: string, statement: string, declaration = "", runs = true): Mutation {
  return {
    kind,
    runs,
    apply(file, random) {
      // What every kind of code has in common is tried in every kind, the rest where it runs.
      const target = someFunction(file, random, ({ head }) => declaration === "" || !NOT_AT_ONCE.test(head));
      const at = target && random.of(statementEnds(file, target));
      if (target === undefined || at === undefined) return undefined;
      const edit = { from: at, to: at, text: `\n${statement}` };
      return { text: guarded(file, [edit], declaration), what: target.name };
    },
  };
}

/** A function with the name of one that another file of the same object has for itself. */
function namesake(kind: string, linkage: string): Mutation {
  return {
    kind,
    runs: true,
    apply(file, random, other) {
      const names = (other?.functions ?? []).filter(({ name, isStatic, isMacro, head }) => {
        return isStatic && !isMacro && !/\binline\b/.test(head) && !new RegExp(`\\b${name}\\b`).test(file.text);
      });
      const named = random.of(names)?.name;
      if (named === undefined) return undefined;
      const declaration = `${linkage} noinline void ${named}(int n);\n${linkage} noinline void ${named}(int n) { if (n > 3) ${OFF} = n; }\n`;
      const made = addition(kind, guardedBy(`${named}(${OFF});`), declaration).apply(file, random, other);
      return made && { ...made, what: `${named} in ${made.what}` };
    },
  };
}

export const ADDITIONS: readonly Mutation[] = [
  addition("printk", guardedBy(`printk(KERN_INFO "mutant %d\\n", __LINE__);`)),
  addition("pr_debug", guardedBy(`pr_debug("mutant\\n");`)),
  addition("pr_info_once", guardedBy(`pr_info_once("mutant\\n");`)),
  addition("pr_info_ratelimited", guardedBy(`pr_info_ratelimited("mutant\\n");`), "#include <linux/printk.h>\n"),
  addition("WARN_ONCE", `\tWARN_ONCE(${OFF}, "mutant %d\\n", ${OFF});`),
  addition("BUG_ON", `\tBUG_ON(${OFF});`),
  addition("trace_printk", guardedBy(`trace_printk("mutant %d\\n", ${OFF});`), "#include <linux/kernel.h>\n"),
  addition("static local", `\t{ static int mutant_count = 5; if (${OFF}) mutant_count += ${OFF}; }`),
  addition(
    "static local",
    `\t{ static const char mutant_names[][4] = { "a", "b" }; if (${OFF}) printk(mutant_names[${OFF} & 1]); }`,
  ),
  addition(
    "per-CPU data",
    guardedBy("this_cpu_inc(suture_mutant_counter);"),
    "#include <linux/percpu.h>\nstatic DEFINE_PER_CPU(int, suture_mutant_counter);\n",
  ),
  addition(
    "static key",
    `\tif (static_branch_unlikely(&suture_mutant_key))\n\t\tprintk("mutant\\n");`,
    "#include <linux/jump_label.h>\nstatic DEFINE_STATIC_KEY_FALSE(suture_mutant_key);\n",
  ),
  addition(
    "static key",
    `\tif (!static_branch_likely(&suture_mutant_key))\n\t\tprintk("mutant\\n");`,
    "#include <linux/jump_label.h>\nstatic DEFINE_STATIC_KEY_TRUE(suture_mutant_key);\n",
  ),
  addition(
    "static call",
    guardedBy(`static_call(suture_mutant_call)(${OFF});`),
    "#include <linux/static_call.h>\nstatic void suture_mutant_called(int n) { suture_mutant_off = n; }\nDEFINE_STATIC_CALL(suture_mutant_call, suture_mutant_called);\n",
  ),
  addition("static call", guardedBy("might_resched();"), "#include <linux/sched.h>\n"),
  addition("alternative", guardedBy("mb();")),
  addition(
    "exception table",
    `\tif (${OFF}) { int mutant; if (get_user(mutant, (int __user *)0)) printk("mutant\\n"); }`,
    "#include <linux/uaccess.h>\n",
  ),
  addition(
    "tracepoint",
    guardedBy("trace_sched_kthread_stop(current);"),
    "#include <linux/sched.h>\n#include <trace/events/sched.h>\n",
  ),
  addition(
    "tracepoint of its own",
    `\ttrace_suture_mutant(${OFF});`,
    "#include <linux/tracepoint.h>\nDECLARE_TRACE(suture_mutant, TP_PROTO(int n), TP_ARGS(n));\nDEFINE_TRACE(suture_mutant, TP_PROTO(int n), TP_ARGS(n));\n",
  ),
  addition(
    "lock",
    `\tif (${OFF}) { mutex_lock(&suture_mutant_lock); mutex_unlock(&suture_mutant_lock); }`,
    "#include <linux/mutex.h>\nstatic DEFINE_MUTEX(suture_mutant_lock);\n",
  ),
  addition(
    "list",
    guardedBy("list_add(&suture_mutant_entry, &suture_mutant_list);"),
    "#include <linux/list.h>\nstatic LIST_HEAD(suture_mutant_list);\nstatic struct list_head suture_mutant_entry;\n",
  ),
  addition(
    "work",
    guardedBy("schedule_work(&suture_mutant_work);"),
    "#include <linux/workqueue.h>\nstatic void suture_mutant_do(struct work_struct *work) { }\nstatic DECLARE_WORK(suture_mutant_work, suture_mutant_do);\n",
  ),
  addition(
    "timer",
    guardedBy("mod_timer(&suture_mutant_timer, jiffies + HZ);"),
    "#include <linux/timer.h>\nstatic void suture_mutant_tick(struct timer_list *timer) { }\nstatic DEFINE_TIMER(suture_mutant_timer, suture_mutant_tick);\n",
  ),
  addition(
    "notifier",
    guardedBy("register_reboot_notifier(&suture_mutant_block);"),
    "#include <linux/reboot.h>\nstatic int suture_mutant_told(struct notifier_block *b, unsigned long n, void *p) { return 0; }\nstatic struct notifier_block suture_mutant_block = { .notifier_call = suture_mutant_told };\n",
  ),
  addition(
    "srcu",
    guardedBy("srcu_read_unlock(&suture_mutant_srcu, srcu_read_lock(&suture_mutant_srcu));"),
    "#include <linux/srcu.h>\nDEFINE_STATIC_SRCU(suture_mutant_srcu);\n",
  ),
  addition(
    "new function",
    guardedBy(`suture_mutant_new(${OFF});`),
    "static noinline void suture_mutant_new(int n) { if (n > 3) suture_mutant_off = n; }\n",
  ),
  namesake("new function of a name that runs", "static"),
  namesake("new function of a name that runs", ""),
  addition(
    "data that is read mostly",
    `\tif (suture_mutant_mostly)\n\t\tprintk("mutant\\n");`,
    "#include <linux/cache.h>\nstatic volatile int suture_mutant_mostly __read_mostly;\nstatic volatile int suture_mutant_later __ro_after_init = 3;\n",
  ),
  addition(
    "export",
    guardedBy("suture_mutant_shown();"),
    "#include <linux/export.h>\nvoid suture_mutant_shown(void);\nnoinline void suture_mutant_shown(void) { suture_mutant_off = 0; }\nEXPORT_SYMBOL_GPL(suture_mutant_shown);\n",
  ),
  addition(
    "module parameter",
    `\tif (suture_mutant_parameter)\n\t\tprintk("mutant\\n");`,
    "#include <linux/moduleparam.h>\nstatic int suture_mutant_parameter;\nmodule_param(suture_mutant_parameter, int, 0444);\n",
  ),
  addition(
    "initcall",
    guardedBy(`printk("mutant\\n");`),
    "#include <linux/init.h>\n#include <linux/module.h>\nstatic int __init suture_mutant_start(void) { return 0; }\nlate_initcall(suture_mutant_start);\n",
    false,
  ),
  addition(
    "command line option",
    guardedBy(`printk("mutant\\n");`),
    `#include <linux/init.h>\nstatic int __init suture_mutant_option(char *text) { suture_mutant_off = 0; return 1; }\n__setup("suture_mutant=", suture_mutant_option);\n`,
    false,
  ),
  addition(
    "list of probes' limits",
    guardedBy(`suture_mutant_unprobed(${OFF});`),
    "#include <linux/kprobes.h>\nstatic noinline void suture_mutant_unprobed(int n) { if (n > 3) suture_mutant_off = n; }\nNOKPROBE_SYMBOL(suture_mutant_unprobed);\n",
  ),
  addition(
    "error injection",
    guardedBy(`suture_mutant_fails(${OFF});`),
    "#include <linux/error-injection.h>\nstatic noinline int suture_mutant_fails(int n) { if (n > 3) suture_mutant_off = n; return n; }\nALLOW_ERROR_INJECTION(suture_mutant_fails, ERRNO);\n",
  ),
  addition(
    "module information",
    guardedBy(`printk("mutant\\n");`),
    '#include <linux/module.h>\nMODULE_ALIAS("suture-mutant");\n',
  ),
];
