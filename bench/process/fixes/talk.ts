/** Bytes to a TCP server and what comes back: for requests that no proper client would make. */
import { connect } from "node:net";

/** Of a connection that said nothing more for this long, all is taken to have come. */
const QUIET_MILLISECONDS = 400;

export interface Talk {
  /** Wait for this long in silence; default 400 ms. */
  readonly quiet?: number;
  /** The answer is whole when it holds this. */
  readonly until?: RegExp;
}

/**
 * Sends and resolves with what came until the other side closed, was silent, or
 * had sent what `until` names; as latin1 text. A connection that breaks counts as closed.
 */
export async function talk(port: number, bytes: string | Buffer, options: Talk = {}): Promise<string> {
  return await new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    let answer = "";
    const done = (): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setEncoding("latin1").setTimeout(options.quiet ?? QUIET_MILLISECONDS, done);
    socket.on("data", (text) => {
      answer += String(text);
      if (options.until?.test(answer) === true) done();
    });
    socket.on("error", done).on("close", done);
  });
}

/** The status code of an HTTP answer; undefined where there is none. */
export function statusOf(answer: string): number | undefined {
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(answer)?.[1];
  return status === undefined ? undefined : Number(status);
}

export function bodyOf(answer: string): string {
  const at = answer.indexOf("\r\n\r\n");
  return at < 0 ? "" : answer.slice(at + 4);
}
