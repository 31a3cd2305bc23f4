/**
 * Whether the forecast of who holds a transition up is right: livepatches of functions that
 * tasks sit in, and of functions that nobody sits in, each looked at and then loaded into a
 * stock kernel in a virtual machine. A transition that has not ended after some looks of the
 * kernel's is held up.
 *
 *   node bench/forecast.ts [FUNCTION...]
 *
 * Of some functions alone: the figures of the others stay.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Cache } from "../src/lib/cache.ts";
import { silentProgress } from "../src/lib/progress.ts";
import { run } from "../src/lib/run.ts";
import { temporaryDirectory } from "../src/lib/temp.ts";
import type { Kernel } from "../src/provider/kernel/kernel.ts";
import { Vm } from "../src/rehearse/vm.ts";
import { openKernel } from "../src/subject/kernel/open-kernel.ts";
import { sutureFiles } from "../test/guest-programs.ts";
import { buildEdits, type Edit } from "../test/kernel/source-diffs.ts";
import { stockKernel } from "../test/kernel/stock-kernel.ts";
import { machine } from "./machine.ts";

/** Each gets an instruction without effect. */
const FUNCTIONS: readonly { readonly name: string; readonly path: string; readonly hasSitter: boolean }[] = [
  { name: "do_sys_poll", path: "fs/select.c", hasSitter: true },
  { name: "core_sys_select", path: "fs/select.c", hasSitter: true },
  { name: "ep_poll", path: "fs/eventpoll.c", hasSitter: true },
  { name: "futex_wait_queue", path: "kernel/futex/waitwake.c", hasSitter: true },
  { name: "pipe_read", path: "fs/pipe.c", hasSitter: true },
  { name: "do_wait", path: "kernel/exit.c", hasSitter: true },
  { name: "kernel_clone", path: "kernel/fork.c", hasSitter: true },
  { name: "kthreadd", path: "kernel/kthread.c", hasSitter: true },
  { name: "inotify_read", path: "fs/notify/inotify/inotify_user.c", hasSitter: true },
  { name: "n_tty_read", path: "drivers/tty/n_tty.c", hasSitter: true },
  { name: "uptime_proc_show", path: "fs/proc/uptime.c", hasSitter: false },
  { name: "loadavg_proc_show", path: "fs/proc/loadavg.c", hasSitter: false },
  { name: "meminfo_proc_show", path: "fs/proc/meminfo.c", hasSitter: false },
  { name: "show_stat", path: "fs/proc/stat.c", hasSitter: false },
  { name: "do_rmdir", path: "fs/namei.c", hasSitter: false },
  { name: "do_linkat", path: "fs/namei.c", hasSitter: false },
  { name: "do_symlinkat", path: "fs/namei.c", hasSitter: false },
  { name: "do_sysinfo", path: "kernel/sys.c", hasSitter: false },
  { name: "do_timerfd_settime", path: "fs/timerfd.c", hasSitter: false },
  { name: "do_mq_open", path: "ipc/mqueue.c", hasSitter: false },
];

/** One task in each of the waits. */
const SITTERS = `
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
static void sit(void (*wait)(void)) { if (fork() == 0) { wait(); _exit(1); } }
static void in_poll(void) { poll(0, 0, -1); }
static void in_select(void) { select(0, 0, 0, 0, 0); }
static void in_epoll(void) { struct epoll_event event; epoll_wait(epoll_create1(0), &event, 1, -1); }
static void in_futex(void) { static int word; syscall(SYS_futex, &word, FUTEX_WAIT, 0, 0, 0, 0); }
static void in_pipe(void) { int ends[2]; char byte; pipe(ends); read(ends[0], &byte, 1); }
static void in_wait(void) { if (fork() == 0) for (;;) pause(); wait(0); }
static void in_vfork(void) { if (vfork() == 0) for (;;) pause(); }
static void in_inotify(void) { char event[64]; read(inotify_init(), event, sizeof event); }
static void in_tty(void) { char byte; read(open("/dev/console", O_RDONLY | O_NOCTTY), &byte, 1); }
int main(void)
{
	sit(in_poll); sit(in_select); sit(in_epoll); sit(in_futex); sit(in_pipe); sit(in_wait); sit(in_vfork); sit(in_inotify); sit(in_tty);
	sleep(2);
	return 0;
}`;

const PROGRAM = `
import { readFileSync } from "node:fs";
import { readLivepatchFile } from "/app/src/patch/livepatch-file.ts";
import { KernelTarget } from "/app/src/targets/kernel/kernel-target.ts";
const name = process.argv[2];
// The kernel looks at once, and then once a second.
const target = new KernelTarget({ timeoutMs: 4000 });
const livepatch = await readLivepatchFile("/" + name + ".ko");
const began = performance.now();
const seen = await target.preflight(livepatch);
const milliseconds = Math.round(performance.now() - began);
const loaded = await target.load(livepatch);
if (loaded.outcome === "done") await target.unload(livepatch.name);
console.log(JSON.stringify({ seen, milliseconds, loaded }));
process.exit(0);
`;

/** One function: what was foretold, and what loading showed. */
export interface ForecastRow {
  readonly function: string;
  /** Whether a task was put there. */
  readonly hasSitter: boolean;
  readonly patched: readonly string[];
  readonly forecast: "held up" | "free";
  readonly loading: "held up" | "free" | string;
  readonly right: boolean;
  readonly foretold: readonly string[];
  readonly holders: readonly string[];
  /** Of the whole preflight in the guest. */
  readonly preflightMilliseconds: number;
}

/** What the run leaves in bench/results. */
export interface ForecastResults {
  readonly release: string;
  readonly right: number;
  readonly of: number;
  readonly rows: readonly ForecastRow[];
}

function withNop(kernel: Kernel, path: string, name: string): Edit {
  const source = readFileSync(join(kernel.source, path), "latin1");
  const head = new RegExp(`^(?! \\*)[^\\n;]*\\b${name}\\([^;{}]*\\)\\n\\{\\n`, "m").exec(source)?.[0];
  if (head === undefined) throw new Error(`${path} has no ${name}`);
  return [path, head, `${head}\tasm volatile("nop");\n`];
}

const RESULTS = new URL("./results/forecast.json", import.meta.url);
const named = process.argv.slice(2);
const wanted = FUNCTIONS.filter(({ name }) => named.length === 0 || named.includes(name));
const kept =
  named.length === 0
    ? []
    : (JSON.parse(readFileSync(RESULTS, "utf8")) as ForecastResults).rows.filter(
        (row) => !named.includes(row.function),
      );

const { release, image } = await stockKernel("6.1");
const kernel = await openKernel({ kind: "release", release }, { cache: new Cache(), progress: silentProgress });
await using directory = await temporaryDirectory();
const patched = new Map<string, readonly string[]>();
for (const { name, path } of wanted) {
  const built = await buildEdits(kernel, directory.path, `fix_${name}`, [withNop(kernel, path, name)]);
  if (built.kind !== "built") throw new Error(`${name}: ${JSON.stringify(built)}`);
  patched.set(
    name,
    built.metadata.objects.flatMap(({ funcs }) => funcs.map((func) => func.name)),
  );
}
writeFileSync(join(directory.path, "sitters.c"), SITTERS);
await run("gcc", ["-w", "-static", "-o", join(directory.path, "sitters"), join(directory.path, "sitters.c")], {
  check: true,
});
await using vm = await Vm.start({
  image,
  files: [
    ...(await sutureFiles()),
    ...wanted.map(({ name }) => ({
      kind: "copy" as const,
      path: `/fix_${name}.ko`,
      from: join(directory.path, `fix_${name}.ko`),
    })),
    { kind: "copy", path: "/sitters", from: join(directory.path, "sitters"), mode: 0o755 },
    { kind: "data", path: "/app/program.ts", data: PROGRAM },
  ],
  log: join(directory.path, "guest.log"),
});
await vm.run("mount -t debugfs debugfs /sys/kernel/debug; mount -t tracefs tracefs /sys/kernel/tracing; /sitters", 600);

const rows: ForecastRow[] = [];
for (const { name, hasSitter } of wanted) {
  const job = await vm.run(`node --no-warnings /app/program.ts fix_${name}`, 600);
  if (job.status !== 0) throw new Error(`${name}: ${job.output}`);
  const { seen, milliseconds, loaded } = JSON.parse(job.output);
  const told = ({ holders }: { readonly holders: readonly { name: string; why: string }[] }): string[] =>
    holders.map((holder) => `${holder.name}: ${holder.why}`);
  const forecast = seen.holders.length > 0 ? "held up" : "free";
  const loading = loaded.outcome === "reversed" ? "held up" : loaded.outcome === "done" ? "free" : loaded.outcome;
  const row: ForecastRow = {
    function: name,
    hasSitter,
    patched: patched.get(name) ?? [],
    forecast,
    loading,
    right: forecast === loading,
    foretold: told(seen),
    holders: told(loaded),
    preflightMilliseconds: milliseconds,
  };
  process.stdout.write(`${JSON.stringify(row)}\n`);
  rows.push(row);
}
const all = FUNCTIONS.flatMap(({ name }) => [...rows, ...kept].filter((row) => row.function === name));
const right = all.filter((row) => row.right).length;
process.stdout.write(`right: ${right} of ${all.length}\n`);
const result = { release, right, of: all.length, rows: all, machine: machine("") };
writeFileSync(RESULTS, `${JSON.stringify(result, undefined, 2)}\n`);
