/** Fixes of nginx, loaded into its master and its workers under wrk. */
import { mkdir, writeFile } from "node:fs/promises";
import { createServer, type Server as TcpServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Fix, Place, Service } from "./fix.ts";
import { wrk } from "./loads.ts";
import { freePort, Server } from "./server.ts";
import { bodyOf, statusOf, talk } from "./talk.ts";

const source = { name: "nginx", version: "1.22.1-9+deb12u9", patchesFrom: "1.22.1-9+deb12u9" };
/** Its rules copy the source before they build it. */
const before = {
  kind: "left-out",
  rebuild: { below: "debian/build-bin", command: ["make", "-f", "objs/Makefile"], program: "objs/nginx" },
} as const;

const WORKERS = 2;

async function startNginx(place: Place, locations: string, http = ""): Promise<Service> {
  const port = await freePort();
  const files = join(place.directory, "files");
  await mkdir(files, { recursive: true });
  await writeFile(join(files, "index.html"), "a page of its own\n".repeat(50));
  await writeFile(join(place.directory, "nginx.conf"), configuration(place.directory, port, locations, http));
  const server = await Server.start({
    program: place.program("nginx"),
    args: ["-p", place.directory, "-c", "nginx.conf", "-e", "stderr"],
    directory: place.directory,
    port,
    processes: 1 + WORKERS,
  });
  return {
    server,
    pids: () => server.pids(),
    load: () => wrk(`http://127.0.0.1:${port}/index.html`),
    generator: "wrk",
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

function configuration(directory: string, port: number, locations: string, http: string): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `daemon off;
worker_processes ${WORKERS};
pid nginx.pid;
error_log stderr error;
${process.getuid?.() === 0 ? "user root;" : ""}
events { worker_connections 256; }
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path ${directory}/${name};`).join(" ")}
  keepalive_requests 1000000;
  ${http}
  server {
    listen 127.0.0.1:${port};
    root ${directory}/files;
    ${locations}
  }
}
`;
}

function get(service: Service, path: string): Promise<string> {
  return talk(service.server.port, `GET ${path} HTTP/1.0\r\nHost: probe\r\n\r\n`);
}

/** U+20AC, the euro sign, in three bytes that come one by one. */
const EURO = Buffer.from("\u20ac");

/** A server whose answers come a byte at a time. */
async function slowServer(): Promise<TcpServer> {
  const slow = createServer((socket) => {
    socket.setNoDelay(true).on("error", () => {});
    socket.once("data", async () => {
      socket.write("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n");
      for (const byte of [...EURO, 0x7c]) {
        await sleep(30);
        socket.write(Buffer.of(byte));
      }
      await sleep(30);
      socket.end();
    });
  });
  await new Promise<void>((resolve) => slow.listen(0, "127.0.0.1", resolve));
  return slow;
}

function portOf(server: TcpServer): number {
  const address = server.address();
  return address !== null && typeof address === "object" ? address.port : 0;
}

/** Just more than HTTP/2 can say the length of in four bytes. */
const LONG_VALUE = (1 << 21) + 1000;

export const NGINX: readonly Fix[] = [
  {
    id: "CVE-2026-42055",
    what: "a header that is longer than HTTP/2 allows is written beyond its buffer on the way to a gRPC server",
    source,
    before,
    diffs: ["CVE-2026-42055.patch"],
    start: (place) =>
      startNginx(
        place,
        "location /probe { grpc_pass grpc://127.0.0.1:1; }",
        "large_client_header_buffers 4 4m; client_header_buffer_size 4m;",
      ),
    async probe(service) {
      const request = `GET /probe HTTP/1.0\r\nHost: probe\r\nX-Long: ${"a".repeat(LONG_VALUE)}\r\n\r\n`;
      const status = statusOf(await talk(service.server.port, request, { quiet: 5000 }));
      // Nothing listens at the gRPC server's port: 502 is after the header was written.
      return { fixed: status === 500, seen: `a header of ${LONG_VALUE} bytes: ${status ?? "the worker dies"}` };
    },
  },
  {
    id: "CVE-2026-42945",
    what: "after a rewrite with arguments, set copies a capture escaped into a buffer made for it unescaped",
    source,
    before,
    diffs: ["CVE-2026-42945.patch"],
    start: (place) => startNginx(place, "location /probe { rewrite ^(.*)$ /new?c=1; set $mine $1; return 200 $mine; }"),
    async probe(service) {
      const body = bodyOf(await get(service, "/probe/a%2Bb"));
      return { fixed: body === "/probe/a+b", seen: `GET /probe/a%2Bb: ${JSON.stringify(body)}` };
    },
  },
  {
    id: "CVE-2026-42934",
    what: "a character that comes in three buffers is decoded wrongly and read beyond its end",
    source,
    before,
    diffs: ["CVE-2026-42934.patch"],
    async start(place) {
      const slow = await slowServer();
      const service = await startNginx(
        place,
        `location /probe { proxy_pass http://127.0.0.1:${portOf(slow)}; proxy_buffering off;
           charset windows-1251; source_charset utf-8; override_charset on; charset_types text/plain; }`,
        "charset_map windows-1251 utf-8 { C0 D090; }",
      );
      return {
        ...service,
        async [Symbol.asyncDispose]() {
          slow.close();
          await service[Symbol.asyncDispose]();
        },
      };
    },
    async probe(service) {
      const body = bodyOf(await get(service, "/probe"));
      return { fixed: body === "&#8364;|", seen: `the euro sign, byte by byte: ${JSON.stringify(body)}` };
    },
  },
  {
    id: "CVE-2026-27654",
    what: "COPY with a destination that is shorter than the alias writes out of bounds",
    source,
    before,
    diffs: ["CVE-2026-27654.patch"],
    lethal: true,
    start: (place) =>
      startNginx(place, `location /a-long-name-for-files/ { alias ${place.directory}/files/; dav_methods COPY; }`),
    async probe(service) {
      const answer = await talk(
        service.server.port,
        "COPY /a-long-name-for-files/index.html HTTP/1.1\r\nHost: probe\r\nDestination: http://probe/x\r\n" +
          "Overwrite: T\r\nConnection: close\r\n\r\n",
      );
      const status = statusOf(answer);
      return { fixed: status === 400, seen: `COPY: ${status ?? "the worker dies"}` };
    },
  },
];
