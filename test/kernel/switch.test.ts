/** Livepatches with functions that have no ftrace hook: switched at one moment in a running stock kernel, or not at all. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Job } from "../../src/rehearse/vm.ts";
import { LivepatchGuest, type Said, said } from "./livepatch-guest.ts";
import type { Edit } from "./source-diffs.ts";
import type { Series } from "./stock-kernel.ts";

const UUID = "lib/uuid.c";
const VERSION = "fs/proc/version.c";

/** UUIDs of another version: `generate_random_uuid` lies in lib, which is built without hooks. */
function uuids(version: number): Edit {
  return [UUID, "uuid[6] = (uuid[6] & 0x0F) | 0x40;", `uuid[6] = (uuid[6] & 0x0F) | 0x${version}0;`];
}

const SAYS: Edit = [VERSION, "	seq_printf(m, linux", '	seq_puts(m, "patched ");\n	seq_printf(m, linux'];
const SAYS_MORE: Edit = [VERSION, "	seq_printf(m, linux", '	seq_puts(m, "on top ");\n	seq_printf(m, linux'];
/** Where who reads trace_pipe sleeps, without a hook as well. */
const WAITS: Edit = ["kernel/trace/ring_buffer.c", "			return -ENODEV;", "			return -ENXIO;"];

const HEX = "const char hex_asc[] = ";

/** Another function behind a parameter of what is built in, reached by a pointer of a variable. */
const PARAMETER: Edit = [
  "kernel/printk/printk.c",
  "module_param_named(time, printk_time, bool, S_IRUGO | S_IWUSR);",
  `
static int time_get(char *buffer, const struct kernel_param *kp)
{
	return sprintf(buffer, "patched\\n");
}
static const struct kernel_param_ops time_ops = { .set = param_set_bool, .get = time_get };
module_param_cb(time, &time_ops, &printk_time, S_IRUGO | S_IWUSR);`,
];

const EDITS: Readonly<Record<string, readonly Edit[]>> = {
  seventh: [uuids(7)],
  eighth: [uuids(8)],
  with_hook: [uuids(7), SAYS],
  on_top: [SAYS_MORE],
  waiting: [uuids(7), WAITS],
  // A constant that all of the kernel sees: 4 is then written as X, or as Y.
  values: [["lib/hexdump.c", `${HEX}"0123456789abcdef";`, `${HEX}"0123X56789abcdef";`]],
  other_values: [["lib/hexdump.c", `${HEX}"0123456789abcdef";`, `${HEX}"0123Y56789abcdef";`]],
  parameter: [PARAMETER],
  callbacks: [
    [UUID, "#include <linux/uuid.h>\n", "#include <linux/uuid.h>\n#include <suture/livepatch.h>\n"],
    uuids(7),
    [
      UUID,
      "",
      `
static int begin(struct klp_object *object) { pr_info("suture test: pre-patch\\n"); return 0; }
static void begun(struct klp_object *object) { pr_info("suture test: post-patch\\n"); }
static void ended(struct klp_object *object) { pr_info("suture test: post-unpatch\\n"); }
SUTURE_PRE_PATCH(begin);
SUTURE_POST_PATCH(begun);
SUTURE_POST_UNPATCH(ended);`,
    ],
  ],
};

describe.each<Series>(["6.1", "6.12"])("Linux %s", (series) => {
  let machine: LivepatchGuest;

  beforeAll(async () => {
    machine = await LivepatchGuest.start(series, { edits: EDITS });
    await guest("[ -e /sys/kernel/tracing/trace_pipe ] || mount -t tracefs tracefs /sys/kernel/tracing");
  });

  afterAll(async () => {
    await machine?.[Symbol.asyncDispose]();
  });

  const guest = (command: string): Promise<Job> => machine.done(command);
  const load = (name: string): Promise<Said> => machine.load(name);
  const remove = (name: string): Promise<Said> => machine.remove(name);

  /** What the kernel says of a livepatch that it does not take. */
  async function refused(name: string): Promise<string> {
    const job = await machine.run(`insmod /livepatches/${name}.ko`);
    expect({ name, status: job.status === 0, output: job.output }).toMatchObject({
      status: false,
      output: expect.stringMatching(/busy/i),
    });
    expect((await guest(`ls /sys/kernel/livepatch /sys/module | grep -c '^${name}$' || true`)).output.trim()).toBe("0");
    const words = job.log.flatMap(({ text }) => (text.startsWith(`${name}: `) ? [text.slice(name.length + 2)] : []));
    // Busybox tries twice.
    return [...new Set(words)].join();
  }

  /** The version of a new UUID. */
  async function uuid(): Promise<string | undefined> {
    return (await guest("cat /proc/sys/kernel/random/uuid")).output.trim()[14];
  }

  async function version(): Promise<string> {
    return (await guest("cat /proc/version")).output;
  }

  test("each of them is built, and says that all is switched at once", () => {
    for (const [name, result] of machine.built) {
      const notes = result.kind === "built" ? result.metadata.notes.map(({ code }) => code) : [];
      expect({ name, kind: result.kind, notes }).toMatchObject({
        kind: "built",
        notes: name === "on_top" ? [] : expect.arrayContaining(["SWITCHED_AT_ONCE"]),
      });
    }
  });

  test("a function without a hook is the new one while the livepatch is enabled, and the old one after it", async () => {
    for (let round = 0; round < 2; round++) {
      expect(await uuid()).toBe("4");
      await load("seventh");
      expect(await uuid()).toBe("7");
      await remove("seventh");
    }
    expect(await uuid()).toBe("4");
  });

  test("a function with a hook is switched with it, keeps its hook, and takes livepatches on top", async () => {
    const traced =
      "cd /sys/kernel/tracing && echo version_proc_show > set_ftrace_filter && echo function > current_tracer";
    await load("with_hook");
    expect([await uuid(), await version()]).toEqual(["7", expect.stringMatching(/^patched Linux/)]);
    const { output } = await guest(`${traced} && cat /proc/version && grep -c 'version_proc_show <-' trace`);
    // The old one, where the hook is, and the new one.
    expect(output).toMatch(/^patched Linux.*\n2\n/);
    await guest("cd /sys/kernel/tracing && echo nop > current_tracer && echo > set_ftrace_filter");
    await load("on_top");
    expect(await version()).toMatch(/^on top Linux/);
    await remove("on_top");
    expect(await version()).toMatch(/^patched Linux/);
    await remove("with_hook");
    expect([await uuid(), await version()]).toEqual(["4", expect.stringMatching(/^Linux/)]);
  });

  test("the diff's own callbacks run around the switch", async () => {
    expect(said(await load("callbacks"))).toEqual(["pre-patch", "post-patch"]);
    expect(await uuid()).toBe("7");
    expect(said(await remove("callbacks"))).toEqual(["post-unpatch"]);
    expect(await uuid()).toBe("4");
  });

  test("nothing is changed where the function is patched already, with a hook or without", async () => {
    await load("seventh");
    expect(await refused("eighth")).toBe("the entry of generate_random_uuid has been changed by somebody else");
    expect(await uuid()).toBe("7");
    await remove("seventh");
    await load("on_top");
    expect(await refused("with_hook")).toBe("version_proc_show is patched by on_top: disable that first");
    expect(await uuid()).toBe("4");
    await remove("on_top");
    await load("eighth");
    await remove("eighth");
  });

  test("nothing is changed where a kprobe holds the entry, even one that is not enabled", async () => {
    // Behind the landing pad, where there is one, and the hook.
    const at = series === "6.1" ? 5 : 9;
    await guest(`echo 'p:held version_proc_show+${at}' > /sys/kernel/tracing/kprobe_events`);
    expect(await refused("with_hook")).toBe("the entry of version_proc_show has been changed by somebody else");
    expect([await uuid(), await version()]).toEqual(["4", expect.stringMatching(/^Linux/)]);
    await guest("echo > /sys/kernel/tracing/kprobe_events");
    await load("with_hook");
    await remove("with_hook");
  });

  test("a constant in use is another one while the livepatch is enabled, and is changed by one at a time", async () => {
    await load("values");
    expect(await uuid()).toBe("X");
    expect(await refused("other_values")).toBe("hex_asc has another value than it was built with");
    expect(await uuid()).toBe("X");
    await remove("values");
    expect(await uuid()).toBe("4");
    await load("other_values");
    expect(await uuid()).toBe("Y");
    await remove("other_values");
  });

  test("a pointer in a variable leads into the livepatch while that is enabled", async () => {
    const time = async () => (await guest("cat /sys/module/printk/parameters/time")).output.trim();
    for (let round = 0; round < 2; round++) {
      expect(await time()).toBe("Y");
      await load("parameter");
      expect(await time()).toBe("patched");
      await remove("parameter");
    }
    expect(await time()).toBe("Y");
  });

  describe("a task that sleeps", () => {
    const sleep =
      "cat /sys/kernel/tracing/trace_pipe > /dev/null 2>&1 & echo $! > /sleeper; while ! grep -q ring_buffer_wait /proc/$!/stack; do usleep 20000; done";
    const wake = "kill $(cat /sleeper)";

    test("in an old function keeps the livepatch out, and all of it; when it has left, the livepatch comes in", async () => {
      await guest(sleep);
      expect(await refused("waiting")).toMatch(/^the task cat \(\d+\) is in ring_buffer_wait$/);
      expect(await uuid()).toBe("4");
      await guest(wake);
      await load("waiting");
      expect(await uuid()).toBe("7");
      await remove("waiting");
      expect(await uuid()).toBe("4");
    });

    test("in a new function is waited for, on the way back", async () => {
      await load("waiting");
      await guest(sleep);
      await guest(`(usleep 500000; ${wake}) > /dev/null 2>&1 &`);
      await remove("waiting");
      expect(await uuid()).toBe("4");
    });
  });

  test("the kernel's log has nothing but the notices of patching", () => {
    expect(machine.findings()).toEqual([]);
  });
});
