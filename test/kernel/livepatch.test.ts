/** Livepatches from source diffs, and what they do in a running stock kernel: one machine for all of them. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Job } from "../../src/rehearse/vm.ts";
import { LivepatchGuest, type Said, said } from "./livepatch-guest.ts";
import type { Edit } from "./source-diffs.ts";
import type { Series } from "./stock-kernel.ts";

const VERSION = "fs/proc/version.c";
const SAYS = "	seq_printf(m, linux_proc_banner,";
const INCLUDE: Edit = [VERSION, '#include "internal.h"\n', '#include "internal.h"\n#include <suture/livepatch.h>\n'];

/** A version of /proc/version that says a word first. */
function saying(statement: string): Edit {
  return [VERSION, SAYS, `	${statement}\n${SAYS}`];
}

const EDITS: Readonly<Record<string, readonly Edit[]>> = {
  one_function: [saying('seq_puts(m, "patched ");')],
  another_version: [saying('seq_puts(m, "patched again ");')],
  new_variables: [
    saying(
      "static int reads = 40; static DEFINE_PER_CPU(int, here) = 7; static DEFINE_STATIC_KEY_FALSE(loud);\n" +
        "	if (++reads == 42) static_branch_enable(&loud);\n" +
        '	seq_printf(m, "%d %d %s ", reads, this_cpu_inc_return(here), static_branch_unlikely(&loud) ? "loud" : "calm");',
    ),
  ],
  two_units: [
    ["fs/proc/cmdline.c", "", 'const char *suture_test_word(int which)\n{\n\treturn which ? "other" : "one";\n}'],
    [VERSION, "static int version_proc_show", "const char *suture_test_word(int which);\nstatic int version_proc_show"],
    saying('seq_printf(m, "%s ", suture_test_word(file_inode(m->file)->i_ino == 0));'),
  ],
  callbacks: [
    INCLUDE,
    saying('seq_puts(m, "with callbacks ");'),
    [
      VERSION,
      "",
      `
static int begin(struct klp_object *object)
{
	pr_info("suture test: pre-patch of %s\\n", object->name ?: "the kernel");
	return 0;
}
static void begun(struct klp_object *object)
{
	pr_info("suture test: post-patch, state 7 is %u, state 8 is %u\\n",
		klp_get_state(suture_patch_of(object), 7)->version, klp_get_state(suture_patch_of(object), 8)->version);
}
static void end(struct klp_object *object) { pr_info("suture test: pre-unpatch\\n"); }
static void ended(struct klp_object *object) { pr_info("suture test: post-unpatch\\n"); }
SUTURE_PRE_PATCH(begin);
SUTURE_POST_PATCH(begun);
SUTURE_PRE_UNPATCH(end);
SUTURE_POST_UNPATCH(ended);
SUTURE_STATE(7, 3);
SUTURE_STATE(8, 1);`,
    ],
  ],
  callbacks_alone: [
    INCLUDE,
    [
      VERSION,
      "",
      `
static void begun(struct klp_object *object) { pr_info("suture test: alone\\n"); }
SUTURE_POST_PATCH(begun);`,
    ],
  ],
  refuses_itself: [
    INCLUDE,
    saying('seq_puts(m, "never ");'),
    [
      VERSION,
      "",
      `
static int begin(struct klp_object *object) { return -EBUSY; }
static void ended(struct klp_object *object) { pr_info("suture test: never\\n"); }
SUTURE_PRE_PATCH(begin);
SUTURE_POST_UNPATCH(ended);`,
    ],
  ],
  shadow: [
    INCLUDE,
    [
      VERSION,
      "static int version_proc_show",
      "struct reads { u32 count; };\nSUTURE_SHADOW(task_reads, 0x73757475, struct reads);\nstatic int version_proc_show",
    ],
    saying(
      "struct reads *reads = task_reads_get_or_alloc(&init_task, GFP_KERNEL);\n" +
        '	seq_printf(m, "read %u times ", reads ? ++reads->count : 0);',
    ),
    [
      VERSION,
      "",
      `
static void forget(struct klp_object *object) { task_reads_free_all(); }
SUTURE_POST_UNPATCH(forget);`,
    ],
  ],
  // Per-CPU data, a static local, an exported function.
  inode_numbers: [
    ["fs/inode.c", "	put_cpu_var(last_ino);\n	return res;", "	put_cpu_var(last_ino);\n	return res + 1000000000;"],
  ],
  // A C file that another one includes, and a static key that the kernel switches.
  static_key: [
    ["kernel/sched/debug.c", '"%s (%d, #threads: %d)\\n", p->comm', '"patched %s (%d, #threads: %d)\\n", p->comm'],
  ],
  of_module: [["drivers/net/dummy.c", "	dev->max_mtu = 0;\n}", "	dev->max_mtu = 0;\n	dev->mtu = 1234;\n}"]],
  module_exit: [
    [
      "drivers/net/dummy.c",
      "static void __exit dummy_cleanup_module(void)\n{",
      'static void __exit dummy_cleanup_module(void)\n{\n	pr_info("suture test: the new exit of dummy\\n");',
    ],
  ],
  module_callbacks: [
    [
      "drivers/net/dummy.c",
      "#include <linux/module.h>\n",
      "#include <linux/module.h>\n#include <suture/livepatch.h>\n",
    ],
    ["drivers/net/dummy.c", "	dev->max_mtu = 0;\n}", "	dev->max_mtu = 0;\n	dev->mtu = 1235;\n}"],
    [
      "drivers/net/dummy.c",
      "",
      `
static int begin(struct klp_object *object) { pr_info("suture test: pre-patch of %s\\n", object->name); return 0; }
static void ended(struct klp_object *object) { pr_info("suture test: post-unpatch of %s\\n", object->name); }
SUTURE_PRE_PATCH(begin);
SUTURE_POST_UNPATCH(ended);`,
    ],
  ],
  tracepoints_of_module: [
    [
      "net/sunrpc/sched.c",
      "	trace_rpc_task_end(task, task->tk_action);",
      "	trace_rpc_task_end(task, task->tk_action);\n	barrier();\n	task->tk_timeouts = task->tk_timeouts + 0;\n	WARN_ON_ONCE(!task->tk_ops);",
    ],
  ],
};
const MODULES = ["dummy", "sunrpc"];

describe.each<Series>(["6.1", "6.12"])("Linux %s", (series) => {
  let machine: LivepatchGuest;

  beforeAll(async () => {
    const replacing = { replacing: EDITS["another_version"] ?? [] };
    machine = await LivepatchGuest.start(series, { edits: EDITS, replacing, modules: MODULES });
  });

  afterAll(async () => {
    await machine?.[Symbol.asyncDispose]();
  });

  const guest = (command: string): Promise<Job> => machine.done(command);
  const output = (command: string): Promise<string> => machine.output(command);
  const load = (name: string): Promise<Said> => machine.load(name);
  const remove = (name: string): Promise<Said> => machine.remove(name);

  const version = async (): Promise<string> => await output("cat /proc/version");

  test("a function of the kernel is the new one while the livepatch is enabled, and the old one after it", async () => {
    expect(await version()).toMatch(/^Linux version/);
    await load("one_function");
    expect(await version()).toMatch(/^patched Linux version/);
    expect(await output("ls /sys/kernel/livepatch/one_function/vmlinux")).toContain("version_proc_show,1");
    await remove("one_function");
    expect(await version()).toMatch(/^Linux version/);
  });

  test("a livepatch on top of another one wins, and the one below comes back", async () => {
    await load("one_function");
    await load("another_version");
    expect(await version()).toMatch(/^patched again Linux/);
    await remove("another_version");
    expect(await version()).toMatch(/^patched Linux/);
    await remove("one_function");
  });

  test("a livepatch that replaces takes the place of those before it, which can then be unloaded", async () => {
    await load("one_function");
    await load("inode_numbers");
    await load("replacing");
    expect(await output("ls /sys/kernel/livepatch")).toBe("replacing");
    await guest("unload one_function && unload inode_numbers");
    expect(await version()).toMatch(/^patched again Linux/);
    await remove("replacing");
  });

  test("new variables are the livepatch's own: static, of each processor, and static keys that it switches", async () => {
    await load("new_variables");
    expect(await version()).toMatch(/^41 8 calm /);
    expect(await version()).toMatch(/^42 9 loud /);
    expect(await version()).toMatch(/^43 10 loud /);
    await remove("new_variables");
  });

  test("one file of the diff calls a new function of another", async () => {
    await load("two_units");
    expect(await version()).toMatch(/^one Linux/);
    await remove("two_units");
  });

  test("callbacks run in their order, and know the livepatch's states", async () => {
    expect(said(await load("callbacks"))).toEqual([
      "pre-patch of the kernel",
      "post-patch, state 7 is 3, state 8 is 1",
    ]);
    expect(await version()).toMatch(/^with callbacks/);
    expect(said(await remove("callbacks"))).toEqual(["pre-unpatch", "post-unpatch"]);
  });

  test("callbacks without a function are a livepatch", async () => {
    expect(said(await load("callbacks_alone"))).toEqual(["alone"]);
    await remove("callbacks_alone");
  });

  test("a pre-patch callback that fails keeps the livepatch out, and nothing is patched", async () => {
    const job = await machine.run("insmod /livepatches/refuses_itself.ko");
    expect(job.status).not.toBe(0);
    expect(job.output).toMatch(/busy/i);
    expect(await version()).toMatch(/^Linux version/);
    expect(await output("ls /sys/kernel/livepatch; grep -c refuses /proc/modules || true")).toBe("0");
    expect(said(job)).toEqual([]);
  });

  test("a shadow variable is found again by its object, and is gone with the livepatch", async () => {
    for (let round = 0; round < 2; round++) {
      await load("shadow");
      expect(await version()).toMatch(/^read 1 times/);
      expect(await version()).toMatch(/^read 2 times/);
      await remove("shadow");
    }
  });

  test("static locals and per-CPU variables of the running kernel go on as they were", async () => {
    const number = async (): Promise<number> => {
      const link = await output("true | readlink /proc/self/fd/0");
      return Number(/pipe:\[(\d+)\]/.exec(link)?.[1]);
    };
    const before = await number();
    await load("inode_numbers");
    const during = await number();
    await remove("inode_numbers");
    const after = await number();
    expect(during).toBeGreaterThan(1_000_000_000 + before);
    expect(during - 1_000_000_000).toBeLessThan(before + 500);
    expect(after).toBeGreaterThan(during - 1_000_000_000);
    expect(after).toBeLessThan(before + 1000);
  });

  test("a static key of the kernel decides in the new code as in the old", async () => {
    const stats = async (value: number): Promise<string> =>
      await output(`echo ${value} > /proc/sys/kernel/sched_schedstats && cat /proc/self/sched`);
    await load("static_key");
    for (const value of [0, 1, 0]) {
      const text = await stats(value);
      expect(text).toMatch(/^patched cat/);
      expect({ value, shown: text.includes("wait_start") }).toEqual({ value, shown: value === 1 });
    }
    await remove("static_key");
  });

  describe("of a module", () => {
    const mtu = async (): Promise<string> =>
      await output("ip link add d0 type dummy && cat /sys/class/net/d0/mtu; ip link del d0");
    // Busybox's modprobe has the tables; it goes through the same loader as insmod.
    const loadModule = async (name: string): Promise<Job> => await guest(`modprobe ${name}`);

    test("that is loaded before the livepatch, its function is the new one", async () => {
      await loadModule("dummy");
      expect(await mtu()).toBe("1500");
      await load("of_module");
      expect(await mtu()).toBe("1234");
      await remove("of_module");
      expect(await mtu()).toBe("1500");
      await guest("rmmod dummy");
    });

    test("that is loaded after the livepatch, its function is the new one, and its callbacks run as it comes and goes", async () => {
      expect(said(await load("module_callbacks"))).toEqual([]);
      expect(said(await loadModule("dummy"))).toEqual(["pre-patch of dummy"]);
      expect(await mtu()).toBe("1235");
      expect(said(await guest("rmmod dummy"))).toEqual(["post-unpatch of dummy"]);
      await remove("module_callbacks");
    });

    test("the exit function is the new one where it is unloaded under the livepatch", async () => {
      await loadModule("dummy");
      await load("module_exit");
      expect((await machine.run("rmmod module_exit")).status).not.toBe(0);
      expect(said(await guest("rmmod dummy"))).toEqual(["the new exit of dummy"]);
      await remove("module_exit");
    });

    test("the exit function is the old one again where the livepatch went first", async () => {
      await loadModule("dummy");
      await load("module_exit");
      await remove("module_exit");
      expect(said(await guest("rmmod dummy"))).toEqual([]);
    });

    test("tracepoints stay off in the new version, and that is said", async () => {
      expect(machine.built.get("tracepoints_of_module")).toMatchObject({
        kind: "built",
        metadata: { notes: expect.arrayContaining([expect.objectContaining({ code: "TRACEPOINT_OFF" })]) },
      });
      await loadModule("sunrpc");
      await load("tracepoints_of_module");
      await remove("tracepoints_of_module");
    });
  });

  test("the kernel's log has nothing but the notices of patching", () => {
    expect(machine.findings()).toEqual([]);
  });
});
