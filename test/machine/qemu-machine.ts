/** QEMU as a machine with disks, which can be frozen to a file and go on from it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync } from "node:fs";
import type { Duplex } from "node:stream";
import { archOfHost, vmOf } from "../../src/arch/registry.ts";
import { atExit } from "../../src/lib/at-exit.ts";

/** Files of the host that the machine is made of. */
export interface Hardware {
  readonly image: string;
  readonly initrd: string;
  /** The kernel's command line. */
  readonly append: string;
  /** A qcow2 image, /dev/vda. */
  readonly disk: string;
  /** Bytes as they are, /dev/vdb. */
  readonly cargo: string;
  /** What the console says is added to it. */
  readonly console: string;
  /** Where `freeze` has put what a machine of the same hardware was doing. */
  readonly state?: string | undefined;
}

/** File descriptors in the program. */
const AGENT_FD = 3;
const CONTROL_FD = 4;
const STATE_FD = 5;

const MEGABYTES = 1024;

/** The program, and its two lines: the agent's, and the one by which it is controlled (QMP). */
export class QemuMachine implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  readonly #forget: () => void;
  #complaint = "";
  #control = "";
  #waiting: ((reply: Reply) => void) | undefined;

  constructor(hardware: Hardware) {
    const state = hardware.state === undefined ? undefined : openSync(hardware.state, "r");
    const setpriv = existsSync("/usr/bin/setpriv") ? ["/usr/bin/setpriv", "--pdeathsig", "KILL", "--"] : [];
    const [program = "", ...args] = [...setpriv, vmOf(archOfHost()).program, ...machineArguments(hardware)];
    this.#child = spawn(program, args, {
      stdio: ["ignore", "ignore", "pipe", "pipe", "pipe", ...(state === undefined ? [] : [state])],
      detached: true,
    });
    if (state !== undefined) closeSync(state);
    this.#forget = atExit("end programs", () => this.#child.kill("SIGKILL"));
    this.#closed = once(this.#child, "close");
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.#complaint += chunk;
    });
    const control = this.#child.stdio[CONTROL_FD] as Duplex;
    control.on("data", (chunk: Buffer) => this.#onControl(chunk));
    for (const line of [control, this.agent]) line.on("error", () => {});
  }

  /** The second serial port. */
  get agent(): Duplex {
    return this.#child.stdio[AGENT_FD] as Duplex;
  }

  /** Resolves when the program has ended, to what it has complained of. */
  async ended(): Promise<string> {
    await this.#closed;
    this.#forget();
    return this.#complaint.trim();
  }

  /** Starts the machine, which has waited for it since it was made or frozen. */
  async go(): Promise<void> {
    await this.#execute("qmp_capabilities");
    for (;;) {
      const { status } = (await this.#execute("query-status")) as { readonly status: string };
      if (status !== "inmigrate") break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await this.#execute("cont");
  }

  /** Stops the machine, writes what it is doing to a file and ends it; its disk stays as it is then. */
  async freeze(state: string): Promise<void> {
    await this.#execute("stop");
    await this.#execute("migrate", { uri: `exec:cat > '${state.replaceAll("'", "'\\''")}'` });
    for (;;) {
      const { status } = (await this.#execute("query-migrate")) as { readonly status: string };
      if (status === "completed") break;
      if (status === "failed" || status === "cancelled") throw new Error(`the machine cannot be frozen: ${status}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await this.#execute("quit");
    await this.ended();
  }

  /** As a power failure ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended();
  }

  async #execute(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const reply = await new Promise<Reply>((resolve, reject) => {
      this.#waiting = resolve;
      void this.#closed.then(() => reject(new Error(`the machine has ended: ${this.#complaint.trim()}`)));
      (this.#child.stdio[CONTROL_FD] as Duplex).write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
    });
    if (reply.error !== undefined) throw new Error(`${command}: ${reply.error.desc}`);
    return reply.return;
  }

  #onControl(chunk: Buffer): void {
    const lines = (this.#control + chunk.toString()).split("\n");
    this.#control = lines.pop() ?? "";
    for (const line of lines) {
      const reply = JSON.parse(line) as Reply;
      if (reply.return !== undefined || reply.error !== undefined) this.#waiting?.(reply);
    }
  }
}

/** Greetings and events have neither. */
interface Reply {
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
}

function machineArguments({ image, initrd, append, disk, cargo, console, state }: Hardware): string[] {
  const { board, emulated } = vmOf(archOfHost());
  return [
    ...["-nodefaults", "-display", "none", "-S", ...board, "-accel", "tcg", ...emulated],
    ...["-smp", "1", "-m", `${MEGABYTES}M`, "-kernel", image, "-initrd", initrd, "-append", append],
    ...["-drive", `file=${doubled(disk)},format=qcow2,if=none,id=disk`, "-device", "virtio-blk-pci,drive=disk"],
    ...["-drive", `file=${doubled(cargo)},format=raw,if=none,id=cargo`, "-device", "virtio-blk-pci,drive=cargo"],
    ...["-chardev", `file,id=console,append=on,path=${doubled(console)}`, "-serial", "chardev:console"],
    ...["-chardev", `socket,id=agent,fd=${AGENT_FD}`, "-serial", "chardev:agent"],
    ...["-chardev", `socket,id=control,fd=${CONTROL_FD}`, "-mon", "chardev=control,mode=control"],
    ...(state === undefined ? [] : ["-incoming", `fd:${STATE_FD}`]),
  ];
}

/** A comma ends a value of QEMU's, two are one. */
function doubled(path: string): string {
  return path.replaceAll(",", ",,");
}
