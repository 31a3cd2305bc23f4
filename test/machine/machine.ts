import { readFile, stat, symlink, truncate } from "node:fs/promises";
import { join, resolve } from "node:path";
import { run } from "../../src/lib/run.ts";
import { temporaryDirectory } from "../../src/lib/temp.ts";
import { type Hardware, QemuMachine } from "./qemu-machine.ts";

/** What a command has done in the machine. */
export interface Answer {
  /** As a shell has it. */
  readonly status: number;
  /** Standard output and standard error. */
  readonly output: string;
}

const GREETING = "hello ";

/** What was asked for is lost with the system that was asked. */
class StartedAnew extends Error {}

/**
 * A machine that runs; dispose of it as of one whose power fails. What hangs in
 * it is ended by the test's own limit.
 */
export class Machine implements AsyncDisposable {
  readonly hardware: Hardware;
  readonly #qemu: QemuMachine;
  #said = Buffer.alloc(0);
  #ended: string | undefined;
  /** Of whoever waits for more to be said, or for the end. */
  #wake: () => void = () => {};
  #job = 0;

  private constructor(hardware: Hardware) {
    this.hardware = hardware;
    this.#qemu = new QemuMachine(hardware);
    this.#qemu.agent.on("data", (chunk: Buffer) => {
      this.#said = Buffer.concat([this.#said, chunk]);
      this.#wake();
    });
    void this.#qemu.ended().then((complaint) => {
      this.#ended = complaint;
      this.#wake();
    });
  }

  /** Switched on, and its agent has greeted; or gone on with, from where it was frozen. */
  static async start(hardware: Hardware): Promise<Machine> {
    const machine = new Machine(hardware);
    try {
      await machine.#qemu.go();
      if (hardware.state === undefined) await machine.greeted();
      return machine;
    } catch (error) {
      await machine[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Resolves when the agent greets: the system has started, once more where it had run before. */
  async greeted(): Promise<void> {
    for (;;) {
      const line = await this.#line();
      if (line.startsWith(GREETING)) return;
    }
  }

  /** Resolves when the system has started, all of it, however often it starts anew meanwhile. */
  async settled(): Promise<void> {
    for (;;) {
      try {
        await this.run("systemctl is-system-running --wait");
        return;
      } catch (error) {
        if (!(error instanceof StartedAnew)) throw error;
      }
    }
  }

  /** By `sh -c`, as root, with nothing on standard input. */
  async run(command: string): Promise<Answer> {
    const id = String(++this.#job);
    const bytes = Buffer.from(command);
    this.#qemu.agent.write(Buffer.concat([Buffer.from(`${id} ${bytes.length}\n`), bytes]));
    for (;;) {
      const line = await this.#line();
      if (line.startsWith(GREETING)) throw new StartedAnew(`the system has started anew during: ${command}`);
      const [job, status, length] = line.split(" ");
      if (job !== id) continue;
      while (this.#said.length < Number(length)) await this.#more();
      const output = this.#said.toString("utf8", 0, Number(length));
      this.#said = this.#said.subarray(Number(length));
      return { status: Number(status), output };
    }
  }

  /** What a command prints that has to succeed. */
  async told(command: string): Promise<string> {
    const { status, output } = await this.run(command);
    if (status !== 0) throw new Error(`${command}: exit code ${status}\n${output}`);
    return output;
  }

  /** Starts the system anew, in order, and waits until it has started. */
  async reboot(): Promise<void> {
    await this.told("systemctl reboot --no-block");
    await this.greeted();
    await this.settled();
  }

  /** How often the kernel has started since the machine was frozen. */
  async starts(): Promise<number> {
    return (await this.console()).split("Linux version ").length - 1;
  }

  /** Puts files of the host into a directory of the machine, which is made, by the names that they get there. */
  async put(directory: string, files: Readonly<Record<string, string>>): Promise<void> {
    const { cargo } = this.hardware;
    const { size } = await stat(cargo);
    await using bundle = await temporaryDirectory();
    for (const [name, path] of Object.entries(files)) await symlink(resolve(path), join(bundle.path, name));
    const options = ["--create", "--dereference", "--owner=0", "--group=0", "--file", cargo];
    await run("tar", [...options, "--directory", bundle.path, "."], { check: true });
    await truncate(cargo, size);
    // Past the page cache, in which there may be what lay there before.
    const unpack = "dd if=/dev/vdb iflag=direct bs=1M status=none | tar -x --no-same-permissions";
    await this.told(`mkdir -p ${directory} && ${unpack} -C ${directory}`);
  }

  /** All that the console has said since the machine was made. */
  async console(): Promise<string> {
    return await readFile(this.hardware.console, "utf8");
  }

  /** See `QemuMachine.freeze`. */
  async freeze(state: string): Promise<void> {
    await this.#qemu.freeze(state);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#qemu[Symbol.asyncDispose]();
  }

  async #line(): Promise<string> {
    for (;;) {
      const end = this.#said.indexOf(0x0a);
      if (end < 0) {
        await this.#more();
        continue;
      }
      const line = this.#said.toString("latin1", 0, end);
      this.#said = this.#said.subarray(end + 1);
      return line;
    }
  }

  async #more(): Promise<void> {
    if (this.#ended === undefined)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    if (this.#ended !== undefined) throw new Error(`the machine has ended. ${this.#ended}\n${await this.#lastWords()}`);
  }

  async #lastWords(): Promise<string> {
    return (await this.console()).split("\n").slice(-20).join("\n");
  }
}
