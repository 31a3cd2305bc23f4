/** Fixes of haproxy, which answers from several threads, loaded under wrk. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Fix, Place, Service } from "./fix.ts";
import { wrk } from "./loads.ts";
import { freePort, Server } from "./server.ts";
import { statusOf, talk } from "./talk.ts";

const source = { name: "haproxy", version: "2.6.12-1+deb12u3", patchesFrom: "2.6.12-1+deb12u3" };
const before = {
  kind: "left-out",
  rebuild: { command: ["debian/rules", "override_dh_auto_build-arch"], program: "haproxy" },
} as const;

async function startHaproxy(place: Place): Promise<Service> {
  const port = await freePort();
  await writeFile(
    join(place.directory, "haproxy.cfg"),
    `global
  nbthread 4
defaults
  mode http
  timeout client 10s
  timeout server 10s
  timeout connect 10s
frontend here
  bind 127.0.0.1:${port}
  option http-buffer-request
  http-request return status 200 content-type text/plain string "big" if { path /number } { req.body,json_query('$.n') -m found }
  http-request return status 200 content-type text/plain string "here"
`,
  );
  const server = await Server.start({
    program: place.program("haproxy"),
    args: ["-db", "-f", "haproxy.cfg"],
    directory: place.directory,
    port,
  });
  return {
    server,
    pids: () => [server.pid],
    load: () => wrk(`http://127.0.0.1:${port}/`),
    generator: "wrk",
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** A number whose value the server would multiply out, step by step. */
const EXPONENT = "1e60000000";
const LONG_MILLISECONDS = 50;

export const HAPROXY: readonly Fix[] = [
  {
    id: "CVE-2023-45539",
    what: "a # in the path is taken, and rules on the path's end can be got round",
    source,
    before,
    diffs: ["BUG-MINOR-h1-do-not-accept-as-part-of-the-URI-compon.patch"],
    start: startHaproxy,
    async probe(service) {
      const answer = await talk(service.server.port, "GET /secret#.png HTTP/1.0\r\n\r\n");
      return { fixed: statusOf(answer) === 400, seen: `GET /secret#.png: ${statusOf(answer)}` };
    },
  },
  {
    id: "CVE-2023-40225",
    what: "an empty Content-Length is passed on (request smuggling)",
    source,
    before,
    diffs: ["BUG-MAJOR-http-reject-any-empty-content-length-heade.patch"],
    start: startHaproxy,
    async probe(service) {
      const answer = await talk(service.server.port, "GET / HTTP/1.1\r\nHost: probe\r\nContent-Length:\r\n\r\n");
      return { fixed: statusOf(answer) === 400, seen: `Content-Length: (empty): ${statusOf(answer)}` };
    },
  },
  {
    id: "CVE-2025-11230",
    what: "a number in JSON with a great exponent keeps a thread busy (denial of service)",
    source,
    before,
    diffs: ["0001-BUG-CRITICAL-mjson-fix-possible-DoS-when-parsing-num.patch"],
    start: startHaproxy,
    async probe(service) {
      const body = `{"n": ${EXPONENT}}`;
      const request = `POST /number HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      const began = performance.now();
      const answer = await talk(service.server.port, request, { quiet: 10_000 });
      const took = performance.now() - began;
      return {
        fixed: statusOf(answer) === 200 && took < LONG_MILLISECONDS,
        seen: `${EXPONENT}: ${statusOf(answer)} after ${took < LONG_MILLISECONDS ? "under " : ""}${Math.max(Math.round(took), LONG_MILLISECONDS)} ms`,
      };
    },
  },
];
