/** A redis-server under load, and a client that looks at every reply. */
import { join } from "node:path";
import type { Load, LoadReport } from "../bench/process/fixes/fix.ts";
import { redisBenchmark } from "../bench/process/fixes/loads.ts";
import { type Reply, Resp } from "../bench/process/fixes/resp.ts";
import { freePort, Server } from "../bench/process/fixes/server.ts";

/** Starts it in memory alone, on loopback, below `directory`. */
export async function startRedis(programs: string, directory: string): Promise<Server> {
  const port = await freePort();
  return await Server.start({
    program: join(programs, "redis-server"),
    args: ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
    directory,
    port,
  });
}

export interface TrafficReport {
  readonly benchmark: LoadReport;
  /** Replies that the client has looked at, and those that were not what they had to be. */
  readonly checked: number;
  readonly wrong: readonly string[];
}

/** redis-benchmark round after round, and beside it one connection whose every reply is looked at. */
export class Traffic implements Disposable {
  readonly #load: Load;
  readonly #client: Resp;
  readonly #ended: Promise<void>;
  #wanted = true;
  #checked = 0;
  readonly #wrong: string[] = [];

  private constructor(load: Load, client: Resp) {
    this.#load = load;
    this.#client = client;
    this.#ended = this.#check().catch((error) => void this.#wrong.push(`the connection is lost: ${error}`));
  }

  static async start(programs: string, port: number): Promise<Traffic> {
    const client = await Resp.connect(port);
    return new Traffic(redisBenchmark(join(programs, "redis-benchmark"), port), client);
  }

  get checked(): number {
    return this.#checked;
  }

  get wrong(): number {
    return this.#wrong.length;
  }

  async stop(): Promise<TrafficReport> {
    this.#wanted = false;
    await this.#ended;
    this.#client[Symbol.dispose]();
    return { benchmark: await this.#load.stop(), checked: this.#checked, wrong: this.#wrong };
  }

  [Symbol.dispose](): void {
    this.#wanted = false;
    this.#client[Symbol.dispose]();
  }

  async #check(): Promise<void> {
    for (let round = 1; this.#wanted; round++) {
      const [key, value] = [`checked:${round % 1000}`, `value ${round}`];
      const client = this.#client;
      const replies = await Promise.all([
        client.send("SET", key, value),
        client.send("GET", key),
        client.send("INCR", "checked:rounds"),
      ]);
      this.#look(replies, ["OK", value, round]);
    }
  }

  #look(replies: readonly Reply[], wanted: readonly Reply[]): void {
    for (const [at, reply] of replies.entries()) {
      this.#checked++;
      if (reply !== wanted[at]) this.#wrong.push(`${JSON.stringify(wanted[at])} wanted, ${JSON.stringify(reply)} came`);
    }
  }
}
