/** Fixes of redis, loaded under redis-benchmark. */
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Fix, Place, Service, Sight } from "./fix.ts";
import { redisBenchmark } from "./loads.ts";
import { SHARED_NACK, TOO_LONG_HYPERLOGLOG, WIDE_ZIPMAP } from "./redis-payloads.ts";
import { type Reply, Resp, replyWords } from "./resp.ts";
import { freePort, Server } from "./server.ts";

/** Debian 12's own, which security updates have left behind: the archive keeps both. */
const SOURCE = { name: "redis", version: "5:7.0.15-1~deb12u7", patchesFrom: "5:7.0.15-1~deb12u10" };
const TOOLS = { name: "redis-tools", version: SOURCE.version };
const STOCK = {
  kind: "stock",
  packages: [TOOLS, { name: "redis-server", version: SOURCE.version }],
  object: "usr/bin/redis-server",
} as const;
const LEFT_OUT = {
  kind: "left-out",
  rebuild: { command: ["debian/rules", "override_dh_auto_build"], program: "src/redis-server" },
} as const;
const source = { ...SOURCE, with: [TOOLS] };

async function startRedis(place: Place, password?: string): Promise<Service> {
  const port = await freePort();
  const guarded = password === undefined ? [] : ["--requirepass", password];
  const server = await Server.start({
    program: place.program("redis-server"),
    args: ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", ...guarded],
    directory: place.directory,
    port,
  });
  return {
    server,
    pids: () => [server.pid],
    load: () => redisBenchmark(place.program("redis-benchmark"), port, password),
    generator: "redis-benchmark",
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** One command and its reply. */
async function ask(service: Service, ...words: readonly (string | Buffer)[]): Promise<Reply> {
  using client = await Resp.connect(service.server.port);
  return await client.send(...words);
}

/** A value that RESTORE is to turn down. */
async function restored(service: Service, payload: Buffer): Promise<Sight> {
  const reply = await ask(service, "RESTORE", "suture:probe", "0", payload, "REPLACE");
  return { fixed: isError(reply, /^ERR Bad data format/), seen: `RESTORE: ${replyWords(reply)}` };
}

function isError(reply: Reply, words: RegExp): boolean {
  return typeof reply === "object" && reply !== null && "error" in reply && words.test(reply.error);
}

const ASKED = 40_000;

/** Commands without end from a client that has no password and reads no answer. */
async function greedyStranger(service: Service): Promise<Sight> {
  const socket = connect(service.server.port, "127.0.0.1");
  let closed = false;
  socket
    .on("error", () => {})
    .on("close", () => {
      closed = true;
    });
  socket.pause();
  for (let sent = 0; sent < ASKED && !closed; sent += 1000) {
    socket.write("*1\r\n$4\r\nPING\r\n".repeat(1000));
    await sleep(5);
  }
  await sleep(300);
  socket.resume();
  await sleep(200);
  const cut = closed;
  socket.destroy();
  return { fixed: cut, seen: cut ? "cut off" : `${ASKED} answers kept for it` };
}

export const REDIS: readonly Fix[] = [
  {
    id: "CVE-2026-66373",
    what: "RESTORE takes a stream whose pending entry two consumers own (double free)",
    source: SOURCE,
    before: STOCK,
    diffs: ["CVE-2026-66373.patch"],
    start: (place) => startRedis(place),
    probe: (service) => restored(service, SHARED_NACK),
  },
  {
    id: "CVE-2026-25243",
    what: "RESTORE takes a zipmap whose lengths are written wider than they are (out of bounds)",
    source: SOURCE,
    before: STOCK,
    diffs: ["CVE-2026-25243.patch"],
    start: (place) => startRedis(place),
    probe: (service) => restored(service, WIDE_ZIPMAP),
  },
  {
    id: "CVE-2025-32023",
    what: "a HyperLogLog of more registers than there are is counted (out of bounds write)",
    source,
    before: LEFT_OUT,
    diffs: ["0006-CVE-2025-32023.patch"],
    lethal: true,
    start: (place) => startRedis(place),
    async probe(service) {
      await ask(service, "SET", "suture:probe", TOO_LONG_HYPERLOGLOG);
      const reply = await ask(service, "PFCOUNT", "suture:probe", "suture:probe").catch(() => "the server dies");
      return { fixed: isError(reply, /^INVALIDOBJ/), seen: `PFCOUNT: ${replyWords(reply)}` };
    },
  },
  {
    id: "CVE-2025-21605",
    what: "a client without the password fills the server's memory with answers that it does not read",
    source,
    before: LEFT_OUT,
    diffs: ["0001-Limiting-output-buffer-for-unauthenticated-client-CV.patch"],
    start: (place) => startRedis(place, "guarded"),
    probe: greedyStranger,
  },
  {
    id: "CVE-2025-67733",
    what: "a Lua script puts replies of its own making into the protocol",
    source,
    before: LEFT_OUT,
    diffs: ["CVE-2025-67733.patch"],
    start: (place) => startRedis(place),
    async probe(service) {
      using client = await Resp.connect(service.server.port);
      const [reply, next] = await Promise.all([
        client.send("EVAL", 'error(redis.error_reply("X\\r\\n+INJECTED"))', "0"),
        client.send("PING"),
      ]);
      return { fixed: next === "PONG", seen: `EVAL: ${replyWords(reply)}; then PING: ${replyWords(next)}` };
    },
  },
];
