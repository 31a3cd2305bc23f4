import { type ChildProcess, execFile, spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { access, rm } from "node:fs/promises";
import { Socket } from "node:net";
import { delimiter, isAbsolute, join } from "node:path";
import type { Duplex } from "node:stream";
import { promisify } from "node:util";
import type { VmAbi } from "../arch/vm-abi.ts";
import { atExit } from "../lib/at-exit.ts";
import { ProgramMissing } from "../lib/program-missing.ts";

/** UEFI, as two files of flash memory. */
export interface Firmware {
  /** Only read. */
  readonly code: string;
  /** Of the machine's own: it writes to it. */
  readonly variables: string;
}

/** A machine with two serial ports and nothing that outlasts it: no disk and no network. */
export interface QemuOptions {
  readonly machine: VmAbi;
  readonly image: string;
  readonly initramfs: string;
  /** undefined: what the program has itself, which looks at no signature. */
  readonly firmware?: Firmware | undefined;
  readonly megabytes: number;
  readonly processors: number;
  /** The kernel's command line. */
  readonly append: string;
  /** Where a file may be put for as long as the machine starts. */
  readonly directory: string;
  /** What the first serial port says. */
  readonly onConsole: (chunk: Buffer) => void;
  /** What the second serial port says. */
  readonly onAnswer: (chunk: Buffer) => void;
  /** The program has ended, and both ports have said all. */
  readonly onExit: (how: string) => void;
}

/** File descriptors in the program: the two serial ports. */
const CONSOLE_FD = 3;
const ANSWER_FD = 4;

/**
 * The program that is the machine. Software emulation unless SUTURE_KVM=1:
 * /dev/kvm is there on many hosts that are virtual machines themselves and
 * cannot run one.
 */
export class Qemu implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #closed: Promise<void>;

  private constructor(child: ChildProcess, console: Socket, options: QemuOptions) {
    this.#child = child;
    const forget = atExit("end programs", () => child.kill("SIGKILL"));
    let complaint = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      if (complaint.length < 4000) complaint += chunk.toString();
    });
    console.on("data", options.onConsole);
    this.#port(ANSWER_FD).on("data", options.onAnswer);
    for (const port of [console, this.#port(ANSWER_FD)]) port.on("error", () => {});
    const saidAll = new Promise<void>((resolve) => console.once("close", () => resolve()));
    this.#closed = new Promise((resolve) => {
      child.on("close", async (code, signal) => {
        forget();
        await saidAll;
        const how =
          code === 0
            ? "it powered off, rebooted or panicked"
            : `${options.machine.program} ended with ${signal ?? code}`;
        options.onExit([how, complaint.trim()].filter((each) => each !== "").join(": "));
        resolve();
      });
    });
  }

  /** Throws `PROGRAM_MISSING` where QEMU is not installed. */
  static async start(options: QemuOptions): Promise<Qemu> {
    const [program, ...args] = [
      ...(await dyingWithUs()),
      await inPath(options.machine),
      ...(await machineArguments(options)),
    ];
    const console = await consolePipe(options.directory);
    try {
      const child = spawn(program as string, args, {
        stdio: ["ignore", "ignore", "pipe", console.write, "pipe"],
        detached: true,
      });
      await new Promise<void>((resolve, reject) => {
        child.once("spawn", resolve);
        child.once("error", (error) => reject(new ProgramMissing(options.machine.program, { cause: error })));
      });
      return new Qemu(child, console.read, options);
    } catch (error) {
      console.read.destroy();
      throw error;
    } finally {
      closeSync(console.write);
    }
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  send(text: string): void {
    const port = this.#port(ANSWER_FD);
    if (port.writable) port.write(text);
  }

  /** Waits for the program's end, and ends it after `timeoutSeconds`. */
  async exited(timeoutSeconds: number): Promise<void> {
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), timeoutSeconds * 1000);
    await this.#closed;
    clearTimeout(timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#closed;
  }

  #port(fd: number): Duplex {
    return this.#child.stdio[fd] as Duplex;
  }
}

/**
 * A pipe, and no socket as `spawn` makes them: of what is written to one byte by
 * byte, as a serial port does, a socket holds a few hundred bytes, and a kernel
 * whose port is not served for 10 ms goes on without what it was about to print.
 */
async function consolePipe(directory: string): Promise<{ readonly read: Socket; readonly write: number }> {
  const path = join(directory, "console");
  await promisify(execFile)("mkfifo", ["-m", "600", path]);
  const read = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const write = openSync(path, constants.O_WRONLY);
  await rm(path);
  return { read: new Socket({ fd: read, readable: true, writable: false }), write };
}

async function machineArguments({ machine, ...options }: QemuOptions): Promise<string[]> {
  const kvm = process.env["SUTURE_KVM"] === "1" && (await mayUse("/dev/kvm"));
  return [
    ...["-nodefaults", "-display", "none", "-no-reboot", ...machine.board],
    ...(kvm ? ["-accel", "kvm", "-cpu", "host"] : ["-accel", "tcg", ...machine.emulated]),
    ...firmwareArguments(options.firmware),
    ...["-smp", String(options.processors), "-m", `${options.megabytes}M`],
    ...["-kernel", options.image, "-initrd", options.initramfs, "-append", options.append],
    ...["-chardev", `file,id=console,path=/dev/fd/${CONSOLE_FD}`, "-serial", "chardev:console"],
    ...["-chardev", `socket,id=answer,fd=${ANSWER_FD}`, "-serial", "chardev:answer"],
  ];
}

function firmwareArguments(firmware: Firmware | undefined): string[] {
  if (firmware === undefined) return [];
  const { code, variables } = firmware;
  const flash = (unit: number, path: string): string[] => ["-drive", `if=pflash,unit=${unit},format=raw,${path}`];
  return [...flash(0, `readonly=on,file=${code}`), ...flash(1, `file=${variables}`)];
}

/** The kernel ends the machine with this process, however that ends; where setpriv is missing, an exit handler does. */
async function dyingWithUs(): Promise<string[]> {
  return (await mayUse("/usr/bin/setpriv")) ? ["/usr/bin/setpriv", "--pdeathsig", "KILL"] : [];
}

/** By its full path, since setpriv has no words of ours where it does not find it. */
async function inPath(machine: VmAbi): Promise<string> {
  for (const directory of (process.env["PATH"] ?? "").split(delimiter)) {
    const path = join(directory, machine.program);
    if (isAbsolute(directory) && (await mayUse(path))) return path;
  }
  throw new ProgramMissing(machine.program);
}

async function mayUse(path: string): Promise<boolean> {
  const mode = path.startsWith("/dev/") ? constants.R_OK | constants.W_OK : constants.X_OK;
  return await access(path, mode).then(
    () => true,
    () => false,
  );
}
