/** Small changes of many shapes to files that the smallest kernel has, of Linux 6.1 to 6.12. */

/** In the named file, the first `from` becomes `to`. */
export interface Edit {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export interface Shape {
  readonly name: string;
  readonly edits: readonly Edit[];
  /** The code by which it has to be refused; anything else is built. */
  readonly refused?: string;
}

const VERSION = "fs/proc/version.c";
const UPTIME = "fs/proc/uptime.c";
const CMDLINE = "fs/proc/cmdline.c";
const LOADAVG = "fs/proc/loadavg.c";
const MEMINFO = "fs/proc/meminfo.c";
const SOFTIRQS = "fs/proc/softirqs.c";
const SHOWN = "\tseq_printf(m, linux_proc_banner,";
const CMDLINE_HEAD = "static int cmdline_proc_show(struct seq_file *m, void *v)\n{\n";

/** One edit of one file. */
function shape(name: string, file: string, from: string, to: string): Shape {
  return { name, edits: [{ file, from, to }] };
}

function refused(code: string, one: Shape): Shape {
  return { ...one, refused: code };
}

/** Code before the function that shows the command line, and at its start. */
function atCmdline(name: string, before: string, first: string): Shape {
  return shape(name, CMDLINE, CMDLINE_HEAD, `${before}${CMDLINE_HEAD}${first}`);
}

/** Nothing of them changes what a test of another one sees. */
export const SHAPES: readonly Shape[] = [
  shape("a call that prints, once", VERSION, SHOWN, `\tpr_info_once("patched\\n");\n${SHOWN}`),
  shape(
    "a call that prints, with its index",
    SOFTIRQS,
    "\tint i, j;\n",
    '\tint i, j;\n\n\tpr_info("softirqs are read\\n");\n',
  ),
  shape("a string", UPTIME, '"%lu.%02lu %lu.%02lu\\n"', '"%lu.%02lu up, %lu.%02lu idle\\n"'),
  shape("a string that others have too", MEMINFO, '"MemTotal:       "', '"MemFree:        "'),
  shape("a module's loop", "lib/crc7.c", "\twhile (len--)", "\tif (!buffer)\n\t\treturn crc;\n\twhile (len--)"),
  shape(
    "a case of a large switch",
    "kernel/sys.c",
    "\tcase PR_GET_TIMING:\n\t\terror = PR_TIMING_STATISTICAL;",
    "\tcase PR_GET_TIMING:\n\t\tif (arg2)\n\t\t\treturn -EINVAL;\n\t\terror = PR_TIMING_STATISTICAL;",
  ),
  shape("a case of a switch over characters", "lib/kstrtox.c", "\tcase 'Y':\n", "\tcase 'Y':\n\tcase 'j':\n"),
  atCmdline(
    "a switch that may become a table",
    "static noinline int cmdline_kind(int at)\n{\n\tswitch (at & 7) {\n\tcase 0: return 17;\n\tcase 1: return 4;\n\tcase 2: return 99;\n\tcase 3: return 23;\n\tcase 4: return 8;\n\tcase 5: return 41;\n\tdefault: return 2;\n\t}\n}\n",
    "\tif (cmdline_kind(m->index) == 3)\n\t\treturn -EINVAL;\n",
  ),
  atCmdline(
    "a switch that may become a table of strings",
    'static noinline const char *cmdline_word(int at)\n{\n\tswitch (at & 7) {\n\tcase 0: return "none";\n\tcase 1: return "one";\n\tcase 2: return "two";\n\tcase 3: return "three";\n\tcase 4: return "four";\n\tdefault: return "many";\n\t}\n}\n',
    "\tif (m->index > 100)\n\t\tseq_puts(m, cmdline_word(m->index));\n",
  ),
  {
    name: "an inline function of the file",
    edits: [
      {
        file: UPTIME,
        from: "static int uptime_proc_show",
        to: "static inline long tenths(long rem)\n{\n\treturn rem / (NSEC_PER_SEC / 10);\n}\n\nstatic int uptime_proc_show",
      },
      { file: UPTIME, from: "(uptime.tv_nsec / (NSEC_PER_SEC / 100))", to: "tenths(uptime.tv_nsec)" },
    ],
  },
  {
    name: "an inline function of a header that changes",
    edits: [
      {
        file: "fs/proc/internal.h",
        from: "\treturn get_pid_task(proc_pid(inode), PIDTYPE_PID);",
        to: "\tstruct pid *pid = proc_pid(inode);\n\n\treturn pid ? get_pid_task(pid, PIDTYPE_PID) : NULL;",
      },
    ],
  },
  atCmdline(
    "a new static local variable",
    "",
    '\tstatic int shown;\n\n\tif (++shown == 3)\n\t\tpr_info("shown three times\\n");\n',
  ),
  shape(
    "a static local variable that runs",
    "kernel/printk/printk.c",
    "\tcase SYSLOG_ACTION_CONSOLE_OFF:\n",
    "\tcase SYSLOG_ACTION_CONSOLE_OFF:\n\t\tif (len > 4096)\n\t\t\treturn -EINVAL;\n",
  ),
  atCmdline(
    "a new per-CPU variable",
    "static DEFINE_PER_CPU(int, cmdline_shown);\n",
    "\tthis_cpu_inc(cmdline_shown);\n",
  ),
  shape(
    "a per-CPU variable that runs",
    "lib/percpu_counter.c",
    "\tcount = __this_cpu_read(*fbc->counters) + amount;",
    "\tif (!amount)\n\t\treturn;\n\tcount = __this_cpu_read(*fbc->counters) + amount;",
  ),
  shape(
    "alternatives around an access to user memory",
    "lib/strncpy_from_user.c",
    "\tif (unlikely(count <= 0))",
    "\tif (unlikely(count <= 0 || !dst))",
  ),
  shape(
    "a copy to user memory",
    "kernel/sys.c",
    "\tif (copy_to_user(info, &val, sizeof(struct sysinfo)))",
    "\tif (!info || copy_to_user(info, &val, sizeof(struct sysinfo)))",
  ),
  atCmdline(
    "a processor's feature asked for",
    "#include <asm/cpufeature.h>\n",
    '\tif (static_cpu_has(X86_FEATURE_ERMS))\n\t\tseq_puts(m, "");\n',
  ),
  atCmdline(
    "a call that may sleep, by a static call",
    "#include <linux/sched.h>\n",
    "\tcond_resched();\n\tmight_sleep();\n",
  ),
  shape(
    "a static key of the kernel's",
    "mm/page_alloc.c",
    "\tbool init = want_init_on_free();",
    "\tbool init = order < 8 && want_init_on_free();",
  ),
  atCmdline(
    "a static key of the kernel's in new code",
    "#include <linux/mm.h>\n",
    '\tif (want_init_on_alloc(GFP_KERNEL) && want_init_on_free())\n\t\tseq_puts(m, "");\n',
  ),
  atCmdline(
    "a new warning",
    "",
    '\tWARN_ON_ONCE(!saved_command_line);\n\tWARN(m->index < 0, "index %lld\\n", m->index);\n',
  ),
  shape(
    "a function with a warning",
    "fs/seq_file.c",
    "\tWARN_ON(file->private_data);",
    "\tif (!op)\n\t\treturn -EINVAL;\n\tWARN_ON(file->private_data);",
  ),
  atCmdline("a new assertion", "#include <linux/bug.h>\n", "\tBUG_ON(!m);\n"),
  atCmdline(
    "a new exported function",
    "int suture_shown(const char *text);\nnoinline int suture_shown(const char *text)\n{\n\treturn *text;\n}\nEXPORT_SYMBOL_GPL(suture_shown);\n",
    "\tif (suture_shown(saved_command_line) == 7)\n\t\treturn -EINVAL;\n",
  ),
  atCmdline(
    "a struct with initial values",
    "struct cmdline_part { const char *text; long from, to; int kinds[6]; };\nstatic noinline long cmdline_len(const struct cmdline_part *part)\n{\n\treturn part->text ? part->to - part->from + part->kinds[2] : 0;\n}\n",
    "\tstruct cmdline_part part = { saved_command_line, 3, 17, { 5, 4, 3, 2, 1, 9 } };\n\n\tif (cmdline_len(&part) < 0)\n\t\treturn -EINVAL;\n",
  ),
  atCmdline(
    "a new function, and a new table of constants",
    "static const u16 cmdline_weights[] = { 3, 141, 59, 26, 535, 89, 79, 323 };\nstatic noinline unsigned int cmdline_weight(const char *text)\n{\n\tunsigned int sum = 0;\n\n\tfor (; *text; text++)\n\t\tsum += cmdline_weights[*text & 7];\n\treturn sum;\n}\n",
    "\tif (cmdline_weight(saved_command_line) == 1)\n\t\treturn -EINVAL;\n",
  ),
  atCmdline(
    "a table of pointers to new functions",
    "static int cmdline_a(int n) { return n + 1; }\nstatic int cmdline_b(int n) { return n * 3; }\nstatic int (*const cmdline_steps[])(int) = { cmdline_a, cmdline_b, cmdline_a };\n",
    "\tif (cmdline_steps[m->index % 3](3) == 5)\n\t\treturn -EINVAL;\n",
  ),
  atCmdline(
    "loops that may be unrolled",
    "static noinline int cmdline_sum(int *n, int count)\n{\n\tint i, j, sum = 0;\n\n\tfor (i = 0; i < count; i++)\n\t\tfor (j = 0; j < 8; j++)\n\t\t\tsum += n[i] >> j;\n\treturn sum;\n}\n",
    "\tint n[4] = { 1, 2, m->index, 4 };\n\n\tif (cmdline_sum(n, 4) == -1)\n\t\treturn -EINVAL;\n",
  ),
  atCmdline(
    "a call of memory's and strings' functions",
    "#include <linux/string.h>\n",
    "\tchar text[64];\n\n\tmemset(text, 0, sizeof(text));\n\tstrscpy(text, saved_command_line, sizeof(text));\n\tif (strlen(text) == 1)\n\t\treturn -EINVAL;\n",
  ),
  atCmdline(
    "a lock and an allocation",
    "#include <linux/slab.h>\n#include <linux/mutex.h>\nstatic DEFINE_MUTEX(cmdline_lock);\n",
    "\tvoid *held;\n\n\tmutex_lock(&cmdline_lock);\n\theld = kzalloc(64, GFP_KERNEL);\n\tkfree(held);\n\tmutex_unlock(&cmdline_lock);\n",
  ),
  shape(
    "a function that many are inlined into",
    LOADAVG,
    "\tget_avenrun(avnrun, FIXED_1/200, 0);",
    "\tget_avenrun(avnrun, FIXED_1/100, 0);",
  ),
  {
    name: "two files at once",
    edits: [
      { file: VERSION, from: SHOWN, to: `\tif (!m)\n\t\treturn -EINVAL;\n${SHOWN}` },
      {
        file: LOADAVG,
        from: "\tunsigned long avnrun[3];\n",
        to: "\tunsigned long avnrun[3];\n\n\tif (!m)\n\t\treturn -EINVAL;\n",
      },
    ],
  },
  refused(
    "INIT_ALREADY_RAN",
    shape("code that has run", VERSION, 'proc_create_single("version", 0,', 'proc_create_single("version", 0444,'),
  ),
  refused(
    "DATA_CHANGED",
    shape(
      "data in use",
      "kernel/panic.c",
      "static unsigned long tainted_mask =\n\t",
      "static unsigned long tainted_mask = 1 +\n\t",
    ),
  ),
  refused("DATA_LAYOUT_CHANGED", {
    name: "a struct's layout",
    edits: [
      {
        file: "fs/proc/internal.h",
        from: "\tstruct rb_node subdir_node;",
        to: "\tint more;\n\tstruct rb_node subdir_node;",
      },
    ],
  }),
];
