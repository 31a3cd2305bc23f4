import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import { livepatch, type Program, program } from "../fixtures/patched-program.ts";
import { shown } from "../fixtures/shown.ts";
import { SERVER_SOURCE, Server } from "./server.ts";

const SUTURE = join(import.meta.dirname, "../../bin/suture");
let directory: TemporaryDirectory;
let served: Program;
let fix: string;

beforeAll(async () => {
  directory = await temporaryDirectory();
  chmodSync(directory.path, 0o755);
  served = program({ directory: directory.path, name: "served", source: SERVER_SOURCE });
  fix = livepatch(served, SERVER_SOURCE.replace("return base + scale(n);", "return base + scale(n) + 1000;"));
});

afterAll(async () => {
  await directory[Symbol.asyncDispose]();
});

interface Ran {
  readonly status: number | null;
  readonly codes: readonly string[];
  readonly stderr: string;
}

interface Printed {
  readonly error?: { readonly code: string };
  readonly results?: readonly { readonly problems: readonly { readonly code: string }[] }[];
}

/** A command in a process of its own, as a user gives it; with --json. @param before what starts it */
function suture(args: readonly string[], before: readonly string[] = []): Ran {
  const [program = "", ...rest] = [...before, SUTURE, ...args, "--json"];
  const { status, stdout, stderr } = spawnSync(program, rest, { encoding: "utf8" });
  const printed = (stdout === "" ? {} : shown(stdout)) as Printed;
  const codes = printed.error === undefined ? [] : [printed.error.code];
  return {
    status,
    stderr,
    codes: [...codes, ...(printed.results ?? []).flatMap(({ problems }) => problems.map(({ code }) => code))],
  };
}

/** Nothing of ours is in the process, and it answers as before. */
async function isUntouched(server: Server): Promise<void> {
  expect(await server.ask("a1")).toMatch(/^110 /);
  const { stdout } = spawnSync(SUTURE, ["list"], { encoding: "utf8" });
  expect(stdout).not.toContain(`${server.pid} `);
}

/** Lets a process have so many bytes of address space more than it has. */
function limitMemory(pid: number, more: number): void {
  const size = /^VmSize:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  spawnSync("prlimit", ["--pid", String(pid), `--as=${Number(size) * 1024 + more}`]);
}

test("a process that may have no more memory is refused before anything is touched", async () => {
  await using server = await Server.start([served.path]);
  limitMemory(server.pid, 1 << 20);
  expect(suture(["load", fix, "--pid", String(server.pid)])).toMatchObject({
    status: 2,
    codes: ["TARGET_OUT_OF_MEMORY"],
  });
  await isUntouched(server);
});

test("memory that runs out while a livepatch is brought in is a clear error, and nothing stays", async () => {
  await using server = await Server.start([served.path]);
  const { ProcessTarget } = await import("../../src/targets/process/process-target.ts");
  const { readProgramLivepatch } = await import("../../src/process/loader/livepatch.ts");
  const { ProcessView } = await import("../../src/process/maps/process-view.ts");
  limitMemory(server.pid, 0);
  const { addressSpaceLimit } = ProcessView.prototype;
  ProcessView.prototype.addressSpaceLimit = () => Number.POSITIVE_INFINITY;
  try {
    const loading = new ProcessTarget(server.pid).load(readProgramLivepatch(readFileSync(fix), fix));
    await expect(loading).rejects.toMatchObject({ code: "TARGET_OUT_OF_MEMORY" });
  } finally {
    ProcessView.prototype.addressSpaceLimit = addressSpaceLimit;
  }
  await isUntouched(server);
});

test("a program that has mapped all around its code is refused", async () => {
  const full = program({
    directory: directory.path,
    name: "full",
    source: SERVER_SOURCE.replace(
      'puts("ready");',
      `{
      extern char __executable_start;
      unsigned long from = (unsigned long)&__executable_start & ~0xfffffffUL;
      for (long at = -9; at <= 9; at++)
        for (long part = 0; part < 65536; part++)
          if (mmap((void *)(from + at * 0x10000000L + part * 4096L), 0x10000000L - part * 4096L, 0, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0) != MAP_FAILED) break;
      fill(from - 0x90000000L, from + 0x90000000L);
    }
    puts("ready");`,
    ).replace(
      "#include <stdio.h>",
      `#define _GNU_SOURCE
      #include <stdio.h>
      #include <sys/mman.h>
      static void fill(unsigned long from, unsigned long to) {
        char line[512]; unsigned long start, end, last = from;
        FILE *maps = fopen("/proc/self/maps", "r");
        while (fgets(line, sizeof line, maps)) {
          if (sscanf(line, "%lx-%lx", &start, &end) != 2 || end < from) continue;
          if (start > last && last < to) mmap((void *)last, (start < to ? start : to) - last, 0, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
          if (end > last) last = end;
        }
        fclose(maps);
      }`,
    ),
  });
  const patch = livepatch(full, full.source.replace("return base + scale(n);", "return base + scale(n) + 1000;"), {
    name: "full",
  });
  await using server = await Server.start([full.path]);
  expect(suture(["load", patch, "--pid", String(server.pid)])).toMatchObject({
    status: 2,
    codes: ["NO_ROOM_IN_REACH"],
  });
  await isUntouched(server);
});

test("a program of another user is PTRACE_DENIED", async () => {
  await using server = await Server.start([served.path]);
  const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
  // Who may not run suture from where it lies learns nothing of processes.
  if (spawnSync(nobody[0] as string, [...nobody.slice(1), SUTURE, "--version"]).status !== 0) return;
  const ran = suture(["load", fix, "--pid", String(server.pid)], nobody);
  expect(ran).toMatchObject({ status: 1, codes: ["PTRACE_DENIED"] });
  await isUntouched(server);
});

test("without /proc there is a clear error", async () => {
  await using server = await Server.start([served.path]);
  const hidden = ["unshare", "--mount", "--", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"];
  if (spawnSync(hidden[0] as string, [...hidden.slice(1), "true"]).status !== 0) return;
  expect(suture(["load", fix, "--pid", String(server.pid)], hidden)).toMatchObject({
    status: 1,
    codes: ["PROC_UNREADABLE"],
  });
  await isUntouched(server);
});

const DEBUGGER = `
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	(void)argc;
	if (ptrace(PTRACE_SEIZE, atoi(argv[1]), 0, 0) != 0) return 1;
	puts("attached");
	fflush(stdout);
	pause();
}
`;

test("a process that a debugger holds is refused, with the debugger's name", async () => {
  const { path } = program({ directory: directory.path, name: "debugger", source: DEBUGGER });
  await using server = await Server.start([served.path]);
  const holder = spawn(path, [String(server.pid)], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    await once(holder.stdout, "data");
    const { status, codes, stderr } = suture(["load", fix, "--pid", String(server.pid)]);
    expect({ status, codes }).toEqual({ status: 2, codes: ["ALREADY_TRACED"] });
    expect(stderr).toContain(`debugger (${holder.pid})`);
  } finally {
    holder.kill("SIGKILL");
    await once(holder, "exit");
  }
  await isUntouched(server);
});

test("another build of the program is refused", async () => {
  const other = program({ directory: directory.path, name: "other", source: SERVER_SOURCE.replace("n + 7", "n + 8") });
  await using server = await Server.start([other.path]);
  expect(suture(["load", fix, "--pid", String(server.pid)])).toMatchObject({ status: 2, codes: ["OBJECT_NOT_LOADED"] });
  await isUntouched(server);
});

test("a corrupt livepatch is LIVEPATCH_CORRUPT, and no process is looked at", async () => {
  await using server = await Server.start([served.path]);
  const corrupt = join(directory.path, "corrupt.o");
  writeFileSync(corrupt, readFileSync(fix).subarray(0, 1000));
  expect(suture(["load", corrupt, "--pid", String(server.pid)])).toMatchObject({
    status: 1,
    codes: ["LIVEPATCH_CORRUPT"],
  });
  expect(suture(["preflight", join(directory.path, "served.unit.o"), "--all"])).toMatchObject({
    codes: ["NOT_A_LIVEPATCH"],
  });
  await isUntouched(server);
});

test("main and what threads are started with are refused: they do not return", async () => {
  await using server = await Server.start([served.path, "2"]);
  const main = livepatch(served, SERVER_SOURCE.replace('puts("ready")', 'puts("steady")'), { name: "main" });
  expect(suture(["load", main, "--pid", String(server.pid)])).toMatchObject({ status: 2, codes: ["NEVER_RETURNS"] });
  const work = livepatch(served, SERVER_SOURCE.replace("usleep(200)", "usleep(300)"), { name: "work" });
  expect(suture(["preflight", work, "--pid", String(server.pid)])).toMatchObject({
    status: 2,
    codes: ["NEVER_RETURNS"],
  });
  await isUntouched(server);
});

test("a thread that does not leave in time is named, and all is turned back", async () => {
  await using server = await Server.start([served.path, "1", "600000"]);
  const slow = livepatch(
    served,
    SERVER_SOURCE.replace("usleep(n * 1000); return base + n;", "usleep(n * 1000); return base + n + 1;"),
    { name: "slow" },
  );
  for (const consistency of ["stop", "lazy", "hybrid"]) {
    const { status, codes } = suture([
      "load",
      slow,
      "--pid",
      String(server.pid),
      "--timeout",
      "0.3",
      "--consistency",
      consistency,
    ]);
    expect({ status, codes, consistency }).toEqual({ status: 2, codes: ["DEADLINE"], consistency });
    await isUntouched(server);
  }
});

test("Ctrl-C turns a transition back", async () => {
  await using server = await Server.start([served.path, "1", "600000"]);
  const slow = livepatch(
    served,
    SERVER_SOURCE.replace("usleep(n * 1000); return base + n;", "usleep(n * 1000); return base + n + 1;"),
    { name: "slow" },
  );
  const child = spawn(SUTURE, ["load", slow, "--pid", String(server.pid), "--timeout", "600"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (data) => (said += data));
  while (spawnSync(SUTURE, ["list"], { encoding: "utf8" }).stdout.includes("slow") === false)
    await new Promise((resolve) => setTimeout(resolve, 50));
  child.kill("SIGINT");
  // With the last of what it says.
  const [status, signal] = await once(child, "close");
  expect({ status, signal, said }).toMatchObject({
    status: null,
    signal: "SIGINT",
    said: expect.stringContaining("INTERRUPTED"),
  });
  await isUntouched(server);
});
