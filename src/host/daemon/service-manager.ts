/** What a service tells whoever has started it: sd_notify(3). */
import { sendDatagram } from "../../process/os/notify-socket.ts";

/** Says nothing where nobody wants to hear it. */
export class ServiceManager implements Disposable {
  readonly #socket: string | undefined;
  readonly #alive: NodeJS.Timeout | undefined;

  /** @param env of the process, as the manager has set it */
  constructor(env: Readonly<NodeJS.ProcessEnv>) {
    this.#socket = env["NOTIFY_SOCKET"] || undefined;
    const watchdogUs = Number(env["WATCHDOG_USEC"] ?? 0);
    const isMeant = env["WATCHDOG_PID"] === undefined || Number(env["WATCHDOG_PID"]) === process.pid;
    // Half of the time that it waits, as it asks for.
    if (this.#socket !== undefined && watchdogUs > 0 && isMeant)
      this.#alive = setInterval(() => this.#say("WATCHDOG=1"), watchdogUs / 2000);
  }

  /** All is set up. @param status one line for people */
  ready(status: string): void {
    this.#say("READY=1", `STATUS=${line(status)}`);
  }

  /** What it is doing. */
  status(status: string): void {
    this.#say(`STATUS=${line(status)}`);
  }

  /** It is about to end. */
  [Symbol.dispose](): void {
    clearInterval(this.#alive);
    this.#say("STOPPING=1");
  }

  #say(...lines: readonly string[]): void {
    if (this.#socket !== undefined) sendDatagram(this.#socket, lines.join("\n"));
  }
}

function line(text: string): string {
  return text.replaceAll(/\s+/g, " ");
}
