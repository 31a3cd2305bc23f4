/** The daemon's socket: the kernel says who asks, and whoever is not root changes nothing. */
import { execFile, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { askDaemon } from "../../src/host/daemon/client.ts";
import { PROTOCOL_VERSION, type Reply, type Request } from "../../src/host/daemon/protocol.ts";
import { DaemonServer } from "../../src/host/daemon/server.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";

const execute = promisify(execFile);

let directory: TemporaryDirectory;
let path: string;
let server: DaemonServer;
const asked: Request[] = [];
const never = new AbortController().signal;

const reply = (lines: readonly string[]): Reply => ({
  ...{ version: PROTOCOL_VERSION, exit: 0, json: {}, lines, problems: [] },
});

beforeAll(async () => {
  directory = await temporaryDirectory();
  chmodSync(directory.path, 0o755);
  path = join(directory.path, "run/sutured.sock");
  writeFileSync(join(directory.path, "left-by-another"), "");
  server = await DaemonServer.start(path, {
    isForEverybody: (command) => command === "status",
    answer: async (request, signal) => {
      asked.push(request);
      if (request.command === "wait") await new Promise((resolve) => signal.addEventListener("abort", resolve));
      return reply([request.command]);
    },
  });
});
afterAll(async () => {
  server[Symbol.dispose]();
  expect(existsSync(path)).toBe(false);
  await directory[Symbol.asyncDispose]();
});

const request = (command: string): Request => ({ version: PROTOCOL_VERSION, command, arguments: [], options: {} });

/** What an unprivileged user is answered, line for line. The server lives in this process, which must not wait. */
async function asNobody(line: string): Promise<Reply> {
  const script = `use IO::Socket::UNIX; my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "no: $!";
    print $s "$ARGV[1]\\n"; print <$s>;`;
  const user = ["--reuid=65534", "--regid=65534", "--clear-groups"];
  const { stdout } = await execute("setpriv", [...user, "perl", "-e", script, path, line]);
  return JSON.parse(stdout);
}

test("root is answered", async () => {
  expect(await askDaemon(path, request("load"), never)).toEqual(reply(["load"]));
  expect(statSync(path).mode & 0o777).toBe(0o666);
});

test("whoever is not root may look, and nothing else is even begun", async () => {
  const before = asked.length;
  expect(await asNobody(JSON.stringify(request("status")))).toEqual(reply(["status"]));
  expect(asked.length).toBe(before + 1);
  for (const command of ["load", "unload", "install", "uninstall", "list", "__proto__", "STATUS", "status "])
    expect(await asNobody(JSON.stringify(request(command))), command).toMatchObject({
      error: { code: "NOT_PERMITTED" },
    });
  expect(asked.length).toBe(before + 1);
});

test("a request of a newer suture is refused by name", async () => {
  const newer = await rawly(`${JSON.stringify({ ...request("status"), version: 2 })}\n`);
  expect(JSON.parse(newer)).toMatchObject({ exit: 2, error: { code: "NEWER_FORMAT" } });
});

async function rawly(text: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = connect(path, () => socket.end(text));
    let said = "";
    socket.on("data", (data) => {
      said += data;
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(said));
  });
}

test("whatever is sent, it is answered in one line or not at all, and nothing is done for what is no request", async () => {
  const before = asked.length;
  const garbage = fc.oneof(fc.string(), fc.json(), fc.constant("x".repeat(100_000)), fc.constant("[]\n{}"));
  await fc.assert(
    fc.asyncProperty(garbage, async (text) => {
      const said = await rawly(text.endsWith("\n") ? text : `${text}\n`).catch(() => "");
      if (said !== "")
        expect(JSON.parse(said)).toMatchObject({ error: { code: expect.stringMatching(/^(USAGE|NEWER_FORMAT)$/) } });
    }),
    { numRuns: 100 },
  );
  expect(await rawly("")).toBe("");
  expect(asked.length).toBe(before);
});

test("what is asked for is given up when who asked is gone", async () => {
  const controller = new AbortController();
  const answer = askDaemon(path, request("wait"), controller.signal);
  while (asked.at(-1)?.command !== "wait") await new Promise((resolve) => setImmediate(resolve));
  controller.abort();
  await expect(answer).rejects.toMatchObject({ code: "INTERRUPTED" });
  expect(await askDaemon(path, request("load"), never)).toEqual(reply(["load"]));
});

test("where nobody listens, nobody answers", async () => {
  expect(await askDaemon(join(directory.path, "left-by-another"), request("status"), never)).toBeUndefined();
  expect(await askDaemon(join(directory.path, "nothing"), request("status"), never)).toBeUndefined();
});

test("what is installed is not said to be nothing by who may not know it", () => {
  const root = join(directory.path, "root");
  const suture = join(import.meta.dirname, "../../src/host/store/store.ts");
  mkdirSync(join(root, "var/lib/suture"), { recursive: true });
  chmodSync(join(root, "var/lib/suture"), 0o700);
  const script = `
    process.setgid(65534); process.setuid(65534);
    try { HostStore.open({ state: "${root}/var/lib/suture" }); console.log("nothing"); }
    catch (error) { console.log(error.code); }`;
  const program = `import { HostStore } from "${suture}";${script}`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" });
  expect(stdout, stderr).toBe("NOT_PERMITTED\n");
});
