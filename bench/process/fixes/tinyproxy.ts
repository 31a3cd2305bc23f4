/** A fix of tinyproxy, loaded while it stands before a web server. */
import { mkdir, writeFile } from "node:fs/promises";
import { createServer, type Server as HttpServer } from "node:http";
import { join } from "node:path";
import { connections } from "./connections.ts";
import type { Fix, Place, Service } from "./fix.ts";

import { freePort, Server } from "./server.ts";
import { bodyOf, talk } from "./talk.ts";

const VERSION = "1.11.1-2.1+deb12u1";
const source = { name: "tinyproxy", version: VERSION, patchesFrom: VERSION };
const before = { kind: "left-out", rebuild: { command: ["make", "-C", "src"], program: "src/tinyproxy" } } as const;

async function startTinyproxy(place: Place): Promise<Service> {
  const origin = await startOrigin();
  const port = await freePort();
  await mkdir(join(place.directory, "templates"));
  const lines = [
    ...[`Port ${port}`, "Listen 127.0.0.1", "Timeout 600", "MaxClients 200", "LogLevel Error"],
    ...[`LogFile "${place.directory}/log"`, "ReverseOnly Yes", `ReversePath "/" "http://127.0.0.1:${origin.port}/"`],
  ];
  await writeFile(join(place.directory, "tinyproxy.conf"), `${lines.join("\n")}\n`);
  const server = await Server.start({
    program: place.program("tinyproxy"),
    args: ["-d", "-c", "tinyproxy.conf"],
    directory: place.directory,
    port,
  });
  return {
    server,
    pids: () => [server.pid],
    load: () => connections(port, "GET / HTTP/1.0\r\nHost: a\r\n\r\n"),
    generator: "8 clients of our own",
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      origin.server.close();
      origin.server.closeAllConnections();
    },
  };
}

/** Answers with the names of the headers that reach it. */
async function startOrigin(): Promise<{ server: HttpServer; port: number }> {
  const server = createServer((request, response) => response.end(Object.keys(request.headers).join(" ")));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return { server, port: address !== null && typeof address === "object" ? address.port : 0 };
}

export const TINYPROXY: readonly Fix[] = [
  {
    id: "CVE-2023-49606",
    what: "a Connection header that names itself, or its sibling, is freed while it is read",
    source,
    before,
    diffs: ["0002-CVE-2023-49606.patch"],
    start: startTinyproxy,
    async probe({ server }) {
      const headers = ["Connection: proxy-connection", "Proxy-Connection: x-secret", "X-Secret: 1", "Host: a"];
      const answer = bodyOf(await talk(server.port, `GET / HTTP/1.0\r\n${headers.join("\r\n")}\r\n\r\n`));
      const isPassedOn = answer.split(/\s+/).includes("x-secret");
      return {
        fixed: answer !== "" && !isPassedOn,
        seen: answer === "" ? "no answer" : `a header for this connection alone: ${isPassedOn ? "" : "not "}passed on`,
      };
    },
  },
];
