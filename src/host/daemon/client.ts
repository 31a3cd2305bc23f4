/** Asks the daemon, where there is one. */
import { connect } from "node:net";
import { abortReason } from "../../lib/interrupt.ts";
import { type Reply, type Request, replyIn } from "./protocol.ts";

/**
 * undefined where no daemon listens, or it says what is none of our words: the command does without it then.
 * Throws the signal's reason where that is aborted.
 */
export async function askDaemon(path: string, request: Request, signal: AbortSignal): Promise<Reply | undefined> {
  const text = await new Promise<string>((resolve, reject) => {
    let said = "";
    const socket = connect(path, () => socket.write(`${JSON.stringify(request)}\n`));
    const onAbort = (): void => {
      socket.destroy();
      reject(abortReason(signal));
    };
    signal.addEventListener("abort", onAbort);
    socket.setEncoding("utf8");
    socket.on("data", (more: string) => {
      said += more;
    });
    socket.on("error", () => resolve(said));
    socket.on("close", () => {
      signal.removeEventListener("abort", onAbort);
      resolve(said);
    });
  });
  return replyIn(text);
}
