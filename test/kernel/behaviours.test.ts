/** How the kernel's own livepatch core behaves with livepatches that suture builds: what its own tests ask for. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../../src/lib/run.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import { isLong } from "../long.ts";
import { LivepatchGuest, said } from "./livepatch-guest.ts";
import type { Edit } from "./source-diffs.ts";
import type { Series } from "./stock-kernel.ts";

const VERSION = "fs/proc/version.c";
const DUMMY = "drivers/net/dummy.c";
const PIPE = "fs/pipe.c";
const FS = "#include <linux/fs.h>\n";

function saying(word: string): Edit {
  const shown = "	seq_printf(m, linux_proc_banner,";
  return [VERSION, shown, `	seq_puts(m, "${word} ");\n${shown}`];
}

/** All four, each of which says the livepatch's name and the object's. @param begins what the pre-patch callback returns */
function callbacks(path: string, name: string, begins = "0"): Edit[] {
  const include = { [DUMMY]: "#include <linux/module.h>\n", [PIPE]: "#include <linux/mm.h>\n" }[path] ?? FS;
  const says = (what: string): string =>
    `pr_info("suture test: ${name}: ${what} of %s\\n", object->name ?: "vmlinux");`;
  return [
    [path, include, `${include}#include <suture/livepatch.h>\n`],
    [
      path,
      "",
      `
static int begin(struct klp_object *object) { ${says("pre-patch")} return ${begins}; }
static void begun(struct klp_object *object) { ${says("post-patch")} }
static void end(struct klp_object *object) { ${says("pre-unpatch")} }
static void ended(struct klp_object *object) { ${says("post-unpatch")} }
SUTURE_PRE_PATCH(begin);
SUTURE_POST_PATCH(begun);
SUTURE_PRE_UNPATCH(end);
SUTURE_POST_UNPATCH(ended);`,
    ],
  ];
}

function states(version: number): Edit[] {
  return [
    saying(`state ${version}`),
    [VERSION, FS, `${FS}#include <suture/livepatch.h>\n`],
    [VERSION, "", `SUTURE_STATE(7, ${version});`],
  ];
}

const mtu = (value: number): Edit => [
  DUMMY,
  "	dev->max_mtu = 0;\n}",
  `	dev->max_mtu = 0;\n	dev->mtu = ${value};\n}`,
];
const NEW_PID = 1_000_000;

const EDITS: Readonly<Record<string, readonly Edit[]>> = {
  plain: [saying("plain")],
  first: [saying("first"), ...callbacks(VERSION, "first")],
  module_one: [mtu(1234), ...callbacks(DUMMY, "module_one")],
  module_two: [mtu(1235), ...callbacks(DUMMY, "module_two")],
  module_refuses: [mtu(1236), ...callbacks(DUMMY, "module_refuses", "-ENODEV")],
  // Where who reads a pipe sleeps.
  busy: [
    [
      PIPE,
      "wake_next_reader = false;\n	ssize_t ret;\n",
      'wake_next_reader = false;\n	ssize_t ret;\n	asm volatile("nop");\n',
    ],
    ...callbacks(PIPE, "busy"),
  ],
  state_3: states(3),
  state_2: states(2),
  getpid: [["kernel/sys.c", "	return task_tgid_vnr(current);", `	return task_tgid_vnr(current) + ${NEW_PID};`]],
};
const REPLACING: Readonly<Record<string, readonly Edit[]>> = {
  replacing: [saying("replacing"), ...callbacks(VERSION, "replacing")],
  replacing_state_4: states(4),
  replacing_stateless: [saying("stateless")],
};

/** Processes that ask for their number all the time: each sees the old one or the new one, and prints how often it changed. */
const ASKING = `
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile sig_atomic_t over;
static void end(int signal) { over = 1; }
static int ask(void)
{
	long own = getpid() % ${NEW_PID}, last = own, flips = 0;
	while (!over) {
		long now = syscall(SYS_getpid);
		if (now != own && now != own + ${NEW_PID}) return 255;
		if (now != last) flips++;
		last = now;
	}
	return flips < 255 ? flips : 254;
}
int main(void)
{
	int children[4], status;
	signal(SIGTERM, end);
	for (int i = 0; i < 4; i++) if ((children[i] = fork()) == 0) _exit(ask());
	while (!over) pause();
	for (int i = 0; i < 4; i++) kill(children[i], SIGTERM);
	for (int i = 0; i < 4; i++) { waitpid(children[i], &status, 0); printf("%d\\n", WIFEXITED(status) ? WEXITSTATUS(status) : 255); }
	return 0;
}`;

describe.runIf(isLong).each<Series>(["6.1", "6.12"])("Linux %s", (series) => {
  let directory: TemporaryDirectory;
  let machine: LivepatchGuest;

  beforeAll(async () => {
    directory = await temporaryDirectory();
    const asking = join(directory.path, "asking");
    await writeFile(`${asking}.c`, ASKING);
    await run("gcc", ["-static", "-O1", "-o", asking, `${asking}.c`], { check: true });
    const files = [{ kind: "copy" as const, path: "/asking", from: asking, mode: 0o755 }];
    machine = await LivepatchGuest.start(series, { edits: EDITS, replacing: REPLACING, modules: ["dummy"], files });
    await machine.done("[ -e /sys/kernel/tracing/trace ] || mount -t tracefs tracefs /sys/kernel/tracing");
  });

  afterAll(async () => {
    await machine?.[Symbol.asyncDispose]();
    await directory?.[Symbol.asyncDispose]();
  });

  const output = (command: string): Promise<string> => machine.output(command);
  const version = (): Promise<string> => output("cat /proc/version");

  test("all of them are built", () => {
    for (const [name, result] of machine.built) expect({ name, result }).toMatchObject({ result: { kind: "built" } });
  });

  test("of a livepatch that is replaced no callback runs: those of the new one do", async () => {
    expect(said(await machine.load("first"))).toEqual(["first: pre-patch of vmlinux", "first: post-patch of vmlinux"]);
    expect(said(await machine.load("replacing"))).toEqual([
      "replacing: pre-patch of vmlinux",
      "replacing: post-patch of vmlinux",
    ]);
    await machine.done("unload first");
    expect(said(await machine.remove("replacing"))).toEqual([
      "replacing: pre-unpatch of vmlinux",
      "replacing: post-unpatch of vmlinux",
    ]);
  });

  test("of a module that is there all four callbacks run", async () => {
    await machine.done("modprobe dummy");
    expect(said(await machine.load("module_one"))).toEqual([
      "module_one: pre-patch of dummy",
      "module_one: post-patch of dummy",
    ]);
    expect(said(await machine.remove("module_one"))).toEqual([
      "module_one: pre-unpatch of dummy",
      "module_one: post-unpatch of dummy",
    ]);
    await machine.done("rmmod dummy");
  });

  test("of a module that comes and goes the callbacks of each livepatch run, in the livepatches' order", async () => {
    expect(said(await machine.load("module_one"))).toEqual([]);
    expect(said(await machine.load("module_two"))).toEqual([]);
    expect(said(await machine.done("modprobe dummy"))).toEqual([
      "module_one: pre-patch of dummy",
      "module_one: post-patch of dummy",
      "module_two: pre-patch of dummy",
      "module_two: post-patch of dummy",
    ]);
    expect(await output("ip link add d0 type dummy && cat /sys/class/net/d0/mtu; ip link del d0")).toBe("1235");
    expect(said(await machine.done("rmmod dummy"))).toEqual([
      "module_one: pre-unpatch of dummy",
      "module_one: post-unpatch of dummy",
      "module_two: pre-unpatch of dummy",
      "module_two: post-unpatch of dummy",
    ]);
    await machine.remove("module_two");
    await machine.remove("module_one");
  });

  test("a pre-patch callback that fails keeps a module out that comes, and the livepatch out where the module is there", async () => {
    await machine.load("module_refuses");
    expect((await machine.run("modprobe dummy")).status).not.toBe(0);
    expect(await output("grep -c '^dummy ' /proc/modules || true")).toBe("0");
    await machine.remove("module_refuses");
    await machine.done("modprobe dummy");
    const { kind, said: heard } = await machine.tryLoad("module_refuses", 50);
    expect(kind).toBe("failed");
    expect(heard).toContain("module_refuses: pre-patch of dummy");
    expect(heard.filter((line) => !line.includes("pre-patch"))).toEqual([]);
    expect(await output("ls /sys/kernel/livepatch")).toBe("");
    await machine.done("rmmod dummy");
  });

  test("of a transition that a sleeping task holds up, and that is turned back, the callbacks of what was done run", async () => {
    await machine.done(
      "(sleep 100000 | cat > /dev/null) & while ! grep -ql pipe_read /proc/[0-9]*/stack 2> /dev/null; do usleep 20000; done",
    );
    expect(await machine.tryLoad("busy", 20)).toEqual({ kind: "late", said: ["busy: pre-patch of vmlinux"] });
    expect(said(await machine.remove("busy"))).toEqual(["busy: post-unpatch of vmlinux"]);
    await machine.done("kill $(pidof cat); true");
  });

  test("an older version of a state is refused, stacked or replacing; so is a replacing one that knows nothing of it", async () => {
    await machine.load("state_3");
    expect((await machine.tryLoad("state_2", 50)).kind).toBe("failed");
    expect((await machine.tryLoad("replacing_stateless", 50)).kind).toBe("failed");
    expect(await version()).toMatch(/^state 3 Linux/);
    await machine.load("replacing_state_4");
    expect(await version()).toMatch(/^state 4 Linux/);
    expect((await machine.tryLoad("state_3", 50)).kind).toBe("failed");
    await machine.done("unload state_3");
    await machine.remove("replacing_state_4");
  });

  test("a patched function is traced as before, at its old place", async () => {
    await machine.load("plain");
    await machine.done(
      "cd /sys/kernel/tracing && echo version_proc_show > set_ftrace_filter && echo function > current_tracer",
    );
    expect(await version()).toMatch(/^plain Linux/);
    expect(Number(await output("grep -c 'version_proc_show <-' /sys/kernel/tracing/trace"))).toBeGreaterThan(0);
    await machine.remove("plain");
    expect(await version()).toMatch(/^Linux/);
    await machine.done("cd /sys/kernel/tracing && echo nop > current_tracer && echo > set_ftrace_filter");
  });

  test("a livepatch that comes while its function is traced is in force", async () => {
    await machine.done(
      "cd /sys/kernel/tracing && echo version_proc_show > set_ftrace_filter && echo function > current_tracer",
    );
    await machine.load("plain");
    expect(await version()).toMatch(/^plain Linux/);
    await machine.done("cd /sys/kernel/tracing && echo nop > current_tracer && echo > set_ftrace_filter");
    expect(await version()).toMatch(/^plain Linux/);
    await machine.remove("plain");
  });

  test("sysfs gives the rights that the kernel says: who is not root can read, and change nothing", async () => {
    await machine.load("plain");
    const modes = await output(
      "cd /sys/kernel/livepatch/plain && stat -c '%a %n' enabled force transition vmlinux vmlinux/patched",
    );
    expect(modes.split("\n")).toEqual([
      "644 enabled",
      "200 force",
      "444 transition",
      "755 vmlinux",
      "444 vmlinux/patched",
    ]);
    await machine.remove("plain");
  });

  test("a system call is patched and unpatched under load: nobody sees anything but the old and the new one, in turn", async () => {
    const rounds = 5;
    await machine.done("/asking > /asked & echo $! > /asking.pid");
    for (let round = 0; round < rounds; round++) {
      await machine.load("getpid");
      await machine.remove("getpid");
    }
    const flips = await output(
      "kill $(cat /asking.pid); while ! [ $(wc -l < /asked) = 4 ]; do usleep 20000; done; cat /asked",
    );
    for (const each of flips.split("\n").map(Number)) {
      expect(each).toBeLessThanOrEqual(2 * rounds);
      expect(each % 2).toBe(0);
    }
    expect(flips.split("\n").some((each) => Number(each) > 0)).toBe(true);
  });

  test("the kernel's log has nothing but the notices of patching", () => {
    expect(machine.findings()).toEqual([]);
  });
});
