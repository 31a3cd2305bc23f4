/** Fixes of libevent, loaded into all that run it: transmission-daemon under wrk and memcached under memcaslap. */
import type { Fix, Load, Place, Service } from "./fix.ts";
import { memcaslap, together, wrk } from "./loads.ts";
import { freePort, Server } from "./server.ts";
import { statusOf, talk } from "./talk.ts";

const STOCK = "2.1.12-stable-8";
const source = { name: "libevent", version: STOCK, patchesFrom: "2.1.12-stable-8+deb12u1" };
const before = {
  kind: "stock",
  packages: [
    { name: "libevent-2.1-7", version: STOCK },
    ...["transmission-daemon", "libminiupnpc17", "libnatpmp1"].map((name) => ({ name })),
    ...["memcached", "libmemcached-tools", "libmemcached11", "libhashkit2", "libmemcachedutil2"].map((name) => ({
      name,
    })),
  ],
  object: "usr/lib/x86_64-linux-gnu/libevent-2.1.so.7",
} as const;

interface Pair extends Service {
  /** What a request to the transmission daemon has to carry. */
  readonly session: string;
}

async function startBoth(place: Place): Promise<Pair> {
  const env = { LD_LIBRARY_PATH: place.libraries, HOME: place.directory };
  const [port, peers, memory] = [await freePort(), await freePort(), await freePort()];
  const server = await Server.start({
    program: place.program("transmission-daemon"),
    args: [
      ...["--foreground", "--config-dir", place.directory, "--no-auth", "--no-dht", "--no-portmap", "--no-lpd"],
      ...["--port", String(port), "--rpc-bind-address", "127.0.0.1", "--allowed", "127.0.0.1"],
      ...["--bind-address-ipv4", "127.0.0.1", "--peerport", String(peers)],
    ],
    env,
    directory: place.directory,
    port,
  });
  const memcached = await Server.start({
    program: place.program("memcached"),
    args: ["-u", "root", "-l", "127.0.0.1", "-p", String(memory), "-t", "4"],
    env,
    directory: place.directory,
    port: memory,
  });
  const refused = await talk(port, "GET /transmission/rpc HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
  const session = /X-Transmission-Session-Id: (\S+)/.exec(refused)?.[1] ?? "none";
  return {
    server,
    session,
    pids: () => [server.pid, memcached.pid],
    load: (): Load =>
      together(
        wrk(`http://127.0.0.1:${port}/transmission/rpc?method=session-stats`, [
          `X-Transmission-Session-Id: ${session}`,
        ]),
        memcaslap(place.program("memcaslap"), memory, env),
      ),
    generator: "wrk, memcaslap",
    async [Symbol.asyncDispose]() {
      await memcached[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

const ASKS = '{"method":"session-stats"}';
const CHUNKED = `${ASKS.length.toString(16)}\r\n${ASKS}\r\n0\r\n`;

async function post(service: Service, headers: readonly string[], trailer = ""): Promise<number | undefined> {
  const lines = [
    "POST /transmission/rpc HTTP/1.1",
    "Host: 127.0.0.1",
    "Connection: close",
    "Transfer-Encoding: chunked",
  ];
  const request = `${[...lines, ...headers].join("\r\n")}\r\n\r\n${CHUNKED}${trailer}\r\n`;
  return statusOf(await talk(service.server.port, request));
}

/** The header that a page in a browser cannot know, so that it cannot give commands. */
function sessionOf(service: Service): string {
  return `X-Transmission-Session-Id: ${(service as Pair).session}`;
}

export const LIBEVENT: readonly Fix[] = [
  {
    id: "CVE-2026-63382",
    what: "a request with two lengths is taken (request smuggling)",
    source,
    before,
    diffs: ["CVE-2026-63382.patch"],
    start: startBoth,
    async probe(service) {
      const status = await post(service, [sessionOf(service), "Content-Length: 5"]);
      return { fixed: status === 400, seen: `Content-Length beside chunks: ${status}` };
    },
  },
  {
    id: "CVE-2026-63379",
    what: "headers behind the body count as if they were before it",
    source,
    before,
    diffs: ["CVE-2026-63382.patch", "CVE-2026-63379.patch"],
    start: startBoth,
    async probe(service) {
      const status = await post(service, [], `${sessionOf(service)}\r\n`);
      return { fixed: status === 409, seen: `the session's id behind the body: ${status}` };
    },
  },
];
