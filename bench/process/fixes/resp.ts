/** A client of redis: commands and their replies, as RESP2 has them. */
import { connect, type Socket } from "node:net";

export type Reply = string | number | null | ErrorReply | readonly Reply[];

export interface ErrorReply {
  readonly error: string;
}

export class Resp implements Disposable {
  readonly #socket: Socket;
  readonly #waiting: { resolve(reply: Reply): void; reject(error: Error): void }[] = [];
  #unread: Buffer = Buffer.alloc(0);
  #lost: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk) => this.#take(chunk));
    socket.on("error", (error) => this.#lose(error));
    socket.on("close", () => this.#lose(new Error("the server closed the connection")));
  }

  static async connect(port: number): Promise<Resp> {
    const socket = connect(port, "127.0.0.1");
    await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    return new Resp(socket);
  }

  /** Strings are sent as latin1. Rejects when the connection is lost before the reply came. */
  send(...words: readonly (string | Buffer)[]): Promise<Reply> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    const parts: Buffer[] = [Buffer.from(`*${words.length}\r\n`)];
    for (const word of words) {
      const bytes = typeof word === "string" ? Buffer.from(word, "latin1") : word;
      parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n"));
    }
    this.#socket.write(Buffer.concat(parts));
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  [Symbol.dispose](): void {
    this.#lost = new Error("closed by us");
    this.#socket.destroy();
  }

  #take(data: string | Buffer): void {
    const chunk = typeof data === "string" ? Buffer.from(data, "latin1") : data;
    this.#unread = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
    for (;;) {
      const parsed = parse(this.#unread, 0);
      if (parsed === undefined) return;
      this.#unread = this.#unread.subarray(parsed.end);
      const waiting = this.#waiting.shift();
      if (waiting === undefined) {
        this.#lose(new Error("a reply that nobody asked for"));
        return;
      }
      waiting.resolve(parsed.reply);
    }
  }

  #lose(error: Error): void {
    this.#lost ??= error;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(error);
  }
}

interface Parsed {
  readonly reply: Reply;
  readonly end: number;
}

/** The reply that begins at `at`; undefined where not all of it is there. */
function parse(bytes: Buffer, at: number): Parsed | undefined {
  const lineEnd = bytes.indexOf("\r\n", at);
  if (lineEnd < 0) return undefined;
  const line = bytes.toString("latin1", at + 1, lineEnd);
  const next = lineEnd + 2;
  switch (String.fromCharCode(bytes[at] ?? 0)) {
    case "+":
      return { reply: line, end: next };
    case "-":
      return { reply: { error: line }, end: next };
    case ":":
      return { reply: Number(line), end: next };
    case "$": {
      const length = Number(line);
      if (length < 0) return { reply: null, end: next };
      if (bytes.length < next + length + 2) return undefined;
      return { reply: bytes.toString("latin1", next, next + length), end: next + length + 2 };
    }
    case "*": {
      const replies: Reply[] = [];
      let end = next;
      for (let left = Number(line); left > 0; left--) {
        const each = parse(bytes, end);
        if (each === undefined) return undefined;
        replies.push(each.reply);
        end = each.end;
      }
      return { reply: replies, end };
    }
    default:
      throw new Error(`not a reply of redis: ${JSON.stringify(line.slice(0, 80))}`);
  }
}

/** In one line, for a table. */
export function replyWords(reply: Reply): string {
  const words =
    typeof reply === "object" && reply !== null && "error" in reply ? `-${reply.error}` : JSON.stringify(reply);
  return words.length > 100 ? `${words.slice(0, 97)}...` : words;
}
