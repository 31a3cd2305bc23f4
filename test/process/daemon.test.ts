/** The daemon: what is installed comes into processes as they start. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { askDaemon } from "../../src/host/daemon/client.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import { livepatch, program } from "../fixtures/patched-program.ts";
import { shown } from "../fixtures/shown.ts";
import { ownSource, Server } from "./server.ts";

const SUTURE = resolve(import.meta.dirname, "../../bin/suture");
const PATCHED = "1010 ";

let directory: TemporaryDirectory;
let root: string;
let path: string;
let fix: string;
let successor: string;

beforeAll(async () => {
  directory = await temporaryDirectory();
  const ownServer = ownSource(directory.path);
  root = join(directory.path, "root");
  const served = program({ directory: directory.path, name: "daemon-srv", source: ownServer });
  path = served.path;
  fix = livepatch(served, ownServer.replace("return base + scale(n);", "return base + scale(n) + 900;"));
  mkdirSync(join(directory.path, "new"));
  const source = ownServer.replace("base = 100", "base = 2000");
  successor = program({ directory: join(directory.path, "new"), name: "daemon-srv", source }).path;
  mkdirSync(join(root, "etc/suture"), { recursive: true });
  allowUnsigned(true);
});
afterAll(async () => await directory[Symbol.asyncDispose]());

function allowUnsigned(isAllowed: boolean): void {
  const configuration = join(root, "etc/suture/suture.conf");
  if (isAllowed) writeFileSync(configuration, "require-signatures = no\n");
  else rmSync(configuration);
}

const env = (): NodeJS.ProcessEnv => ({
  ...process.env,
  SUTURE_ROOT: root,
  NOTIFY_SOCKET: join(directory.path, "notify"),
});

function suture(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(SUTURE, [...args, "--json", "-q"], { env: env(), encoding: "utf8" });
  if (stdout === "") throw new Error(stderr);
  return { status, document: shown(stdout) };
}

/** Lines that a program writes, as they come. */
class Lines {
  readonly #lines: string[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(stream: NodeJS.ReadableStream) {
    createInterface({ input: stream }).on("line", (line) => {
      this.#lines.push(line);
      for (const wake of this.#waiting) wake();
    });
  }

  async until(wanted: RegExp): Promise<string> {
    for (;;) {
      const index = this.#lines.findIndex((line) => wanted.test(line));
      if (index >= 0) return this.#lines.splice(0, index + 1).at(-1) as string;
      await new Promise<void>((wake) => this.#waiting.add(wake));
    }
  }
}

class RunningDaemon implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly said: Lines;
  #end: NodeJS.Signals = "SIGTERM";

  constructor() {
    this.#child = spawn(SUTURE, ["daemon"], { env: env(), stdio: ["ignore", "ignore", "pipe"] });
    this.said = new Lines(this.#child.stderr as NodeJS.ReadableStream);
  }

  /** As the kernel does it that has no memory left. */
  kill(): void {
    this.#end = "SIGKILL";
    this.#child.kill("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill(this.#end);
    const [, signal] = await once(this.#child, "close");
    expect(signal).toBe(this.#end);
  }
}

/** Asks until the process runs patched code, as it has to at some time. */
async function patched(server: Server): Promise<void> {
  while (!(await server.ask("a1")).startsWith(PATCHED));
}

test("processes get what is installed as they start, by whoever they are started, until it is uninstalled", async () => {
  await using before = await Server.start([path]);
  expect(suture("install", fix).status).toBe(0);
  await using daemon = new RunningDaemon();
  await daemon.said.until(/^1 livepatch for new processes$/);
  // What ran already has it by now.
  expect(await before.ask("a1")).toMatch(PATCHED);
  await using started = await Server.start([path]);
  await patched(started);
  await using again = await Server.start(["sh", "-c", `exec sh -c 'exec ${path}'`]);
  await patched(again);
  const renamed = join(directory.path, "renamed");
  copyFileSync(path, renamed);
  await using other = await Server.start([renamed]);
  await patched(other);
  expect(suture("status").document.installed).toMatchObject([{ state: "live", processes: 4 }]);

  expect(suture("uninstall", "fix").status).toBe(0);
  await daemon.said.until(/^0 livepatches for new processes$/);
  await using late = await Server.start([path]);
  expect(await late.ask("a1")).toBe("110 1");
  expect(suture("install", fix).status).toBe(0);
  await daemon.said.until(/^1 livepatch for new processes$/);
  expect(await late.ask("a1")).toBe("1010 2");
});

test("commands are carried out by the daemon, and by themselves where it was killed", async () => {
  await using server = await Server.start([path]);
  const where = ["--pid", String(server.pid)];
  {
    await using daemon = new RunningDaemon();
    await daemon.said.until(/^1 livepatch for new processes$/);
    // Its words are those of the command.
    const request = { version: 1, command: "status", arguments: [], options: {} };
    const reply = await askDaemon(join(root, "run/suture/sutured.sock"), request, new AbortController().signal);
    expect(reply).toMatchObject({ exit: 0, json: { installed: [{ name: "fix", state: "live" }] } });
    expect(suture("unload", "fix", ...where)).toMatchObject({
      status: 0,
      document: { results: [{ outcome: "done" }] },
    });
    expect(await server.ask("a1")).toMatch(/^110 /);
    expect(suture("load", fix, ...where)).toMatchObject({ status: 0, document: { results: [{ outcome: "done" }] } });
    expect(await server.ask("a1")).toMatch(PATCHED);
    expect(suture("unload", "nothing")).toMatchObject({ status: 1, document: { error: { code: "NO_SUCH_PATCH" } } });
    // A path that leads the daemon elsewhere, or nowhere, is read by the command alone.
    const load = { ...request, command: "load", arguments: [fix], options: { pid: [String(server.pid)] } };
    for (const files of [undefined, {}, { [fix]: "1:1" }])
      expect(
        await askDaemon(join(root, "run/suture/sutured.sock"), { ...load, files }, new AbortController().signal),
      ).toMatchObject({ error: { code: "FILE_UNREADABLE" } });
    expect(suture("unload", "fix", ...where).status).toBe(0);
    const piped = ["-c", '"$0" load <(cat "$1") --pid "$2" -q --json', SUTURE, fix, String(server.pid)];
    const { stdout, stderr } = spawnSync("bash", piped, { encoding: "utf8", env: env() });
    expect(JSON.parse(stdout || stderr)).toMatchObject({ results: [{ outcome: "done" }] });
    expect(await server.ask("a1")).toMatch(PATCHED);
    daemon.kill();
  }
  expect(suture("unload", "fix", ...where)).toMatchObject({ status: 0, document: { results: [{ outcome: "done" }] } });
  // What it has left is no obstacle for the next one.
  await using next = new RunningDaemon();
  await next.said.until(/^1 livepatch for new processes$/);
  expect(await server.ask("a1")).toMatch(PATCHED);
});

test("what a process got is in the history when the daemon has ended", async () => {
  const events = suture("log").document.events.filter(({ verb }: { verb: string }) => verb === "start");
  expect(
    events.every(({ patch, outcome }: { patch: string; outcome: string }) => patch === "fix" && outcome === "done"),
  ).toBe(true);
  expect(new Set(events.flatMap(({ pids }: { pids: number[] }) => pids)).size).toBe(6);
});

test("without a signature nothing is brought in, unless the administrator says so", async () => {
  allowUnsigned(false);
  await using daemon = new RunningDaemon();
  await daemon.said.until(/^not loaded: fix: UNSIGNED_LIVEPATCH/);
  await daemon.said.until(/^0 livepatches for new processes, 1 not let in$/);
  await using server = await Server.start([path]);
  expect(await server.ask("a1")).toBe("110 1");
  allowUnsigned(true);
});

test("it tells whoever has started it when it is ready, and that it lives", async () => {
  const socket = join(directory.path, "notify");
  const script = `use IO::Socket::UNIX; my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "${socket}") or die;
    $| = 1; print "bound\\n"; while (defined $s->recv(my $text, 4096)) { print "$text\\n"; }`;
  const receiver = spawn("perl", ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  const said = new Lines(receiver.stdout);
  await said.until(/^bound$/);
  process.env["WATCHDOG_USEC"] = "100000";
  try {
    await using daemon = new RunningDaemon();
    await said.until(/^READY=1$/);
    await said.until(/^STATUS=1 livepatch for new processes$/);
    await said.until(/^WATCHDOG=1$/);
    await daemon.said.until(/^1 livepatch/);
  } finally {
    delete process.env["WATCHDOG_USEC"];
  }
  await said.until(/^STOPPING=1$/);
  receiver.kill();
});

test("what nothing needs any more is dropped when its successor runs", async () => {
  await using daemon = new RunningDaemon();
  await daemon.said.until(/^1 livepatch for new processes$/);
  // As long as the old build lies anywhere where it has run, it may be run again.
  rmSync(join(directory.path, "renamed"));
  copyFileSync(successor, `${path}.new`);
  renameSync(`${path}.new`, path);
  await using fixed = await Server.start([path]);
  await daemon.said.until(/^fix is not needed any more, and dropped/);
  expect(await fixed.ask("a1")).toBe("2010 1");
  expect(suture("status").document.installed).toEqual([]);
});
