/** The daemon's socket: who asks is known by the kernel, and whoever is not root may look and change nothing. */
import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import * as v from "valibot";
import { EXIT, problemOf, SutureError } from "../../lib/error.ts";
import { describeNewer, newerFormat } from "../../lib/format.ts";
import { type Peer, peerOf } from "../../process/os/peer.ts";
import { PROTOCOL_VERSION, type Reply, type Request } from "./protocol.ts";

/** Whoever looks all the time is not to keep root out for long. */
const MOST_CONNECTIONS = 32;
/** Bytes of a request. */
const MOST_REQUEST = 1 << 16;

const requestSchema = v.object({
  version: v.number(),
  command: v.string(),
  arguments: v.pipe(v.array(v.string()), v.maxLength(1000)),
  options: v.record(v.string(), v.unknown()),
  files: v.optional(v.record(v.string(), v.string())),
});

/** Runs a command for somebody. @param signal aborted when who asked is gone */
export type Answer = (request: Request, signal: AbortSignal) => Promise<Reply>;

/** What commands there are. */
export interface Answers {
  readonly answer: Answer;
  /** Whether a command changes nothing, and tells what everybody may know. */
  isForEverybody(command: string): boolean;
}

/** Listens from `start` on until it is disposed of. */
export class DaemonServer implements Disposable {
  readonly #server: Server;
  readonly #answers: Answers;
  readonly #path: string;

  private constructor(path: string, answers: Answers) {
    this.#path = path;
    this.#answers = answers;
    // Who sends its request and no more has not gone.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#serve(socket));
    this.#server.maxConnections = MOST_CONNECTIONS;
  }

  /** What a daemon that was killed has left there is taken away: a second one is kept out by its manager. */
  static async start(path: string, answers: Answers): Promise<DaemonServer> {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    rmSync(path, { force: true });
    const started = new DaemonServer(path, answers);
    await new Promise<void>((resolve, reject) => {
      started.#server.once("error", reject);
      started.#server.listen(path, resolve);
    });
    chmodSync(path, 0o666);
    return started;
  }

  [Symbol.dispose](): void {
    this.#server.close();
    rmSync(this.#path, { force: true });
  }

  #serve(socket: Socket): void {
    const gone = new AbortController();
    let text = "";
    let isAsked = false;
    socket.setEncoding("utf8");
    socket.on("error", () => socket.destroy());
    socket.on("close", () => gone.abort(new SutureError("INTERRUPTED", "who asked for it is gone")));
    socket.on("data", (more: string) => {
      if (isAsked) return;
      text += more;
      const end = text.indexOf("\n");
      if (end < 0 && text.length <= MOST_REQUEST) return;
      isAsked = true;
      const line = end < 0 ? "" : text.slice(0, end);
      void this.#reply(line, peerOf(descriptorOf(socket)), gone.signal).then((reply) => {
        if (!socket.destroyed) socket.end(`${JSON.stringify(reply)}\n`);
      });
    });
    // Nobody asks in pieces for ever.
    socket.on("end", () => {
      if (!isAsked) socket.end();
    });
  }

  async #reply(line: string, peer: Peer | undefined, signal: AbortSignal): Promise<Reply> {
    try {
      const request = parsed(line);
      if (peer?.uid !== 0 && !this.#answers.isForEverybody(request.command))
        throw new SutureError("NOT_PERMITTED", `only root may have the daemon do that: ${request.command}`, {
          hint: "run suture as root",
        });
      return await this.#answers.answer(request, signal);
    } catch (error) {
      const exit = error instanceof SutureError ? error.exit : EXIT.environment;
      return { version: PROTOCOL_VERSION, exit, error: problemOf(error) };
    }
  }
}

function parsed(line: string): Request {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    json = undefined;
  }
  const newer = newerFormat(json, PROTOCOL_VERSION);
  if (newer !== undefined)
    throw new SutureError("NEWER_FORMAT", `what was asked of the daemon ${describeNewer(newer)}`, {
      hint: "restart sutured, so that it is the suture that is installed",
      exit: EXIT.refused,
    });
  const request = v.safeParse(requestSchema, json);
  if (request.success) return request.output;
  throw new SutureError("USAGE", "what was asked of the daemon is no request", { hint: "use the command suture" });
}

/** Node has no interface for it. */
function descriptorOf(socket: Socket): number {
  return (socket as unknown as { readonly _handle?: { readonly fd?: number } })._handle?.fd ?? -1;
}
