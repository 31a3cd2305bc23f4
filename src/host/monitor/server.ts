/** A web server on this machine's loopback for one page, and for metrics. It changes nothing. */

import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { join } from "node:path";
import { brought } from "../../lib/brought.ts";
import { SutureError } from "../../lib/error.ts";
import type { MachineState } from "../status/machine.ts";
import { METRICS_TYPE, metricsText } from "./metrics.ts";
import { Transitions } from "./transitions.ts";

/** Where the server gets what it shows. */
export interface MonitorSources {
  /** Looks at the machine; `document` is what the page gets of it, as JSON. */
  look(): Promise<{ readonly machine: MachineState; readonly document: unknown }>;
  /** What was done, the newest first, as JSON. */
  history(): Promise<readonly unknown[]>;
  /** What an installed livepatch does; undefined where none has that digest. */
  explain(digest: string): Promise<Explained | undefined>;
}

/** What is to be known of a livepatch. */
export interface Explained {
  /** Its title first. */
  readonly lines: readonly string[];
  /** What it was built from; none where it does not tell. */
  readonly diffs: readonly string[];
}

const LOOPBACK = "127.0.0.1";
/** Two who look within this time are shown the same look. */
const SAME_LOOK_MS = 400;
const PAGE = brought("web");
const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  "/": ["monitor.html", "text/html; charset=utf-8"],
  "/monitor.css": ["monitor.css", "text/css; charset=utf-8"],
  "/monitor.js": ["monitor.js", "text/javascript; charset=utf-8"],
};
const HEADERS = {
  "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'",
  "x-content-type-options": "nosniff",
  "cache-control": "no-store",
};

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** Serves from `start` until it is disposed of. */
export class MonitorServer implements AsyncDisposable {
  readonly port: number;
  readonly #server: Server;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  /** @param port 0: any that is free. Throws `PORT_NOT_FREE`. */
  static async start(port: number, sources: MonitorSources): Promise<MonitorServer> {
    const monitor = new Monitor(sources);
    const server = createServer((request, response) => void answer(monitor, request, response));
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error: NodeJS.ErrnoException) => reject(notFree(port, error)));
      server.listen(port, LOOPBACK, resolve);
    });
    const address = server.address();
    return new MonitorServer(server, typeof address === "object" && address !== null ? address.port : port);
  }

  get url(): string {
    return `http://${LOOPBACK}:${this.port}/`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function notFree(port: number, error: NodeJS.ErrnoException): SutureError {
  return new SutureError("PORT_NOT_FREE", `the port ${port} cannot be listened on: ${error.code}`, {
    where: LOOPBACK,
    hint: "give another one with --port",
    cause: error,
  });
}

class Monitor {
  readonly #sources: MonitorSources;
  readonly #transitions = new Transitions();
  #last: { readonly at: number; readonly look: ReturnType<MonitorSources["look"]> } | undefined;

  constructor(sources: MonitorSources) {
    this.#sources = sources;
  }

  async answer(path: string): Promise<Answer | undefined> {
    const file = FILES[path];
    if (file !== undefined) return { status: 200, type: file[1], body: await readFile(join(PAGE, file[0]), "utf8") };
    if (path === "/metrics")
      return { status: 200, type: METRICS_TYPE, body: await metricsText((await this.#look()).machine) };
    if (path === "/monitor.json") {
      const { document } = await this.#look();
      return json({ status: document, transitions: this.#transitions.all, history: await this.#sources.history() });
    }
    const digest = /^\/livepatch\/([0-9a-f]{64})\.json$/.exec(path)?.[1];
    const explained = digest === undefined ? undefined : await this.#sources.explain(digest);
    return explained === undefined ? undefined : json({ digest, ...explained });
  }

  async #look(): ReturnType<MonitorSources["look"]> {
    const now = Date.now();
    if (this.#last === undefined || now - this.#last.at > SAME_LOOK_MS || now < this.#last.at)
      this.#last = { at: now, look: this.#lookAnew() };
    return await this.#last.look;
  }

  async #lookAnew(): ReturnType<MonitorSources["look"]> {
    const seen = await this.#sources.look();
    this.#transitions.look(seen.machine.live, Date.now());
    return seen;
  }
}

function json(value: unknown): Answer {
  return { status: 200, type: "application/json", body: JSON.stringify(value) };
}

async function answer(monitor: Monitor, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { status, type, body } = await answerTo(monitor, request);
  response.writeHead(status, { ...HEADERS, "content-type": type });
  response.end(request.method === "HEAD" ? undefined : body);
}

async function answerTo(monitor: Monitor, { method, url = "/", headers }: IncomingMessage): Promise<Answer> {
  // A page of another site can have its name lead here: it says so in the name that it asks for.
  if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(headers.host ?? "")) return plain(403, "this is not the host's name");
  if (method !== "GET" && method !== "HEAD") return plain(405, "only GET");
  try {
    return (await monitor.answer(url.split("?")[0] ?? "/")) ?? plain(404, "there is no such page");
  } catch (error) {
    if (error instanceof SutureError) return plain(503, `${error.code}: ${error.message}`);
    return plain(500, `INTERNAL: ${(error as Error).message}`);
  }
}

function plain(status: number, text: string): Answer {
  return { status, type: "text/plain; charset=utf-8", body: `${text}\n` };
}
