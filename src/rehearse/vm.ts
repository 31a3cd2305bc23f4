import { randomBytes } from "node:crypto";
import { createWriteStream, type WriteStream } from "node:fs";
import { lstat, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Arch } from "../arch/arch.ts";
import { archOfHost, vmOf } from "../arch/registry.ts";
import type { VmAbi } from "../arch/vm-abi.ts";
import type { ErrorCode } from "../lib/codes.ts";
import { namingFullDisk } from "../lib/disk-full.ts";
import { SutureError } from "../lib/error.ts";
import { abortReason, throwIfAborted } from "../lib/interrupt.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../lib/temp.ts";
import type { LogLine } from "../targets/kernel/kernel-messages.ts";
import { systemFiles } from "./guest.ts";
import { GuestClock } from "./guest-clock.ts";
import { type GuestFile, writeInitramfs } from "./initramfs.ts";
import { parseLogLine } from "./kernel-log.ts";
import { type Firmware, Qemu } from "./qemu.ts";

/** One guest, which lives as long as its `Vm`. Sizes of memory are in MiB. */
export interface VmOptions {
  /** What the kernel is for; default: the machine that runs here. */
  readonly arch?: Arch | undefined;
  /** The kernel image, `vmlinuz`. */
  readonly image: string;
  /** Default: none that looks at who signed what it starts. */
  readonly firmware?: Firmware | undefined;
  /** What the guest has besides its init and busybox. */
  readonly files: readonly GuestFile[];
  /** Where the console's output is kept; written from the start. */
  readonly log: string;
  /** In addition to what the files need; default 512. */
  readonly memoryMegabytes?: number | undefined;
  /** Default 1: software emulation of several can run code that another has just changed under int3. */
  readonly processors?: number | undefined;
  /** More of the kernel's command line. */
  readonly append?: string | undefined;
  /** Until the guest's first word; default 60. */
  readonly bootSeconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a command did in the guest. */
export interface Job {
  /** Its exit status, as a shell has it. */
  readonly status: number;
  /** The last 64 KiB of standard output and standard error together. */
  readonly output: string;
  readonly seconds: number;
  /** Every line of the kernel log from its start to its end. */
  readonly log: readonly LogLine[];
}

/** The guest is not usable any more: `GUEST_HUNG`, `GUEST_DIED` or, before its first word, `GUEST_NOT_BOOTED`. */
export class GuestLost extends SutureError {
  /** The kernel log since the last job began, or all of it. */
  readonly log: readonly LogLine[];

  constructor(code: ErrorCode, what: string, where: string, log: readonly LogLine[]) {
    super(code, what, { where, hint: lastWords(log) });
    this.name = "GuestLost";
    this.log = log;
  }
}

interface Waiting {
  readonly done: () => boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const COMMAND_BYTES = 3000;

/**
 * A virtual machine that runs a stock kernel from memory: no disk, no network.
 * Commands are sent over its second serial port, the first one is its console.
 * Dispose of it, and nothing is left but the log.
 */
export class Vm implements AsyncDisposable {
  readonly log: string;
  readonly arch: Arch;
  readonly machine: VmAbi;
  /** From the start of the program to the guest's first word, seconds. */
  bootSeconds = 0;
  readonly #token = randomBytes(8).toString("hex");
  readonly #signal: AbortSignal | undefined;
  readonly #logFile: WriteStream;
  #directory: TemporaryDirectory | undefined;
  #qemu: Qemu | undefined;
  /** Of the wait that is on. */
  #clock: GuestClock | undefined;
  #console: LogLine[] = [];
  #consoleRest = "";
  #answers = Buffer.alloc(0);
  #waiting: Waiting | undefined;
  #logFailure: unknown;
  #hasLog = false;
  #lost: { readonly code: ErrorCode; readonly what: string } | undefined;
  #nextJob = 1;

  private constructor(options: VmOptions) {
    this.log = options.log;
    this.arch = options.arch ?? archOfHost();
    this.machine = vmOf(this.arch);
    this.#signal = options.signal;
    this.#logFile = createWriteStream(options.log);
    this.#logFile.on("open", () => {
      this.#hasLog = true;
    });
    this.#logFile.on("error", (error) => {
      this.#logFailure = logNotWritten(error, options.log);
      this.#check();
    });
  }

  /**
   * Throws `PROGRAM_MISSING`, `OUTPUT_NOT_WRITABLE` for a log, `DISK_FULL`,
   * `GuestLost`, `MACHINE_NOT_KNOWN`, or the reason of the signal; then nothing is left running.
   */
  static async start(options: VmOptions): Promise<Vm> {
    throwIfAborted(options.signal);
    const vm = new Vm(options);
    try {
      await vm.#start(options);
      return vm;
    } catch (error) {
      await vm[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Runs a shell command. Throws `GuestLost` where the guest dies, or does not
   * answer in time; that ends the machine. Time is what the guest has had, which
   * on a busy host is less than has passed, and it is counted anew with each sign
   * that the command gets on (the guest's `tick`).
   */
  async run(command: string, timeoutSeconds = 60): Promise<Job> {
    throwIfAborted(this.#signal);
    if (this.#lost !== undefined) throw this.#lostError();
    const line = command.replaceAll("\n", " ");
    if (Buffer.byteLength(line) > COMMAND_BYTES)
      throw new RangeError(`a guest command of more than ${COMMAND_BYTES} bytes`);
    const id = this.#nextJob++;
    const from = this.#console.length;
    const began = performance.now();
    this.#qemu?.send(`${this.#token} ${id} ${line}\n`);
    let answer: { status: number; output: string } | undefined;
    await this.#until(
      () => {
        answer ??= this.#takeAnswer(id);
        return answer !== undefined;
      },
      timeoutSeconds,
      `the command ${shortened(line)}`,
    );
    const seconds = (performance.now() - began) / 1000;
    const end = `suture ${this.#token} end ${id}`;
    await this.#until(() => this.#console.slice(from).some(({ text }) => text === end), timeoutSeconds, "its console");
    if (answer === undefined) throw this.#lostError();
    return { ...answer, seconds, log: this.#console.slice(from) };
  }

  /** The kernel log up to now. */
  get console(): readonly LogLine[] {
    return this.#console;
  }

  /** Turns the guest off in order, so that what it says last is in the log. */
  async powerOff(timeoutSeconds = 20): Promise<void> {
    if (this.#lost === undefined) this.#qemu?.send(`${this.#token} off\n`);
    await this.#qemu?.exited(timeoutSeconds);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#qemu?.[Symbol.asyncDispose]();
    await this.#directory?.[Symbol.asyncDispose]();
    await this.#endLog();
  }

  /** What was stopped, did not fit, or never said a word leaves no log. */
  async #endLog(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#logFile.once("close", resolve);
      if (this.#logFile.closed) resolve();
      else this.#logFile.end();
    });
    const isUseless = this.#signal?.aborted === true || this.#logFailure !== undefined || this.#console.length === 0;
    if (isUseless && this.#hasLog && (await lstat(this.log)).isFile()) await rm(this.log, { force: true });
  }

  async #start(options: VmOptions): Promise<void> {
    const began = performance.now();
    this.#directory = await temporaryDirectory();
    const initramfs = join(this.#directory.path, "initramfs");
    const bytes = await writeInitramfs(initramfs, [
      ...(await systemFiles(this.#token, this.machine)),
      ...options.files,
    ]);
    const megabytes = Math.ceil((2 * bytes) / 2 ** 20) + (options.memoryMegabytes ?? 512);
    const { kernelOptions, ports } = this.machine;
    this.#qemu = await Qemu.start({
      machine: this.machine,
      image: options.image,
      initramfs,
      firmware: options.firmware,
      directory: this.#directory.path,
      megabytes,
      processors: options.processors ?? 1,
      append: [`console=${ports.console}`, ...KERNEL_OPTIONS, ...kernelOptions, options.append ?? ""].join(" "),
      onConsole: (chunk) => this.#onConsole(chunk),
      onAnswer: (chunk) => this.#onAnswer(chunk),
      onExit: (how) => this.#onExit(how),
    });
    await this.#until(() => this.#takeLine() === `${this.#token} hello`, options.bootSeconds ?? 60, "its boot");
    await rm(initramfs, { force: true });
    this.bootSeconds = (performance.now() - began) / 1000;
  }

  #onConsole(chunk: Buffer): void {
    const parts = (this.#consoleRest + chunk.toString("latin1")).split("\n");
    this.#consoleRest = parts.pop() ?? "";
    for (const part of parts) {
      const raw = part.replaceAll("\r", "");
      const line = parseLogLine(raw);
      if (line.text === `suture ${this.#token} tick`) {
        this.#clock?.restart();
        continue;
      }
      this.#console.push(line);
      this.#logFile.write(`${raw}\n`);
    }
    this.#check();
  }

  #onAnswer(chunk: Buffer): void {
    this.#answers = Buffer.concat([this.#answers, chunk]);
    this.#check();
  }

  #onExit(how: string): void {
    this.#lost ??= { code: this.bootSeconds === 0 ? "GUEST_NOT_BOOTED" : "GUEST_DIED", what: how };
    if (this.#consoleRest !== "") this.#onConsole(Buffer.from("\n"));
    this.#check();
  }

  /** Takes one line off what the second serial port has said. */
  #takeLine(): string | undefined {
    const end = this.#answers.indexOf(0x0a);
    if (end < 0) return undefined;
    const line = this.#answers.toString("latin1", 0, end).replaceAll("\r", "");
    this.#answers = this.#answers.subarray(end + 1);
    return line;
  }

  #takeAnswer(id: number): { status: number; output: string } | undefined {
    for (;;) {
      const end = this.#answers.indexOf(0x0a);
      if (end < 0) return undefined;
      const [token, given, status, size] = this.#answers.toString("latin1", 0, end).split(" ");
      if (token !== this.#token || given !== String(id) || status === undefined) {
        this.#answers = this.#answers.subarray(end + 1);
        continue;
      }
      const bytes = Number(size);
      if (this.#answers.length < end + 1 + bytes) return undefined;
      const output = this.#answers.toString("utf8", end + 1, end + 1 + bytes);
      this.#answers = this.#answers.subarray(end + 1 + bytes);
      return { status: Number(status), output };
    }
  }

  #check(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    if (this.#logFailure !== undefined) waiting.reject(this.#logFailure);
    else if (waiting.done()) waiting.resolve();
    else if (this.#lost !== undefined) waiting.reject(this.#lostError());
  }

  async #until(done: () => boolean, timeoutSeconds: number, what: string): Promise<void> {
    const onAbort = (): void => this.#waiting?.reject(abortReason(this.#signal as AbortSignal));
    const onTick = (): void => {
      if ((this.#clock?.seconds ?? 0) < timeoutSeconds) return;
      this.#lost ??= {
        code: this.bootSeconds === 0 ? "GUEST_NOT_BOOTED" : "GUEST_HUNG",
        what: `${what} did not end within ${timeoutSeconds} s`,
      };
      this.#check();
    };
    using clock = new GuestClock(this.#qemu?.pid ?? 0, onTick);
    this.#clock = clock;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#waiting = { done, resolve, reject };
        this.#signal?.addEventListener("abort", onAbort, { once: true });
        this.#check();
      });
    } finally {
      this.#clock = undefined;
      this.#signal?.removeEventListener("abort", onAbort);
      this.#waiting = undefined;
    }
  }

  #lostError(): GuestLost {
    const { code, what } = this.#lost ?? { code: "GUEST_DIED", what: "it ended" };
    const begin = `suture ${this.#token} begin `;
    const from = this.#console.findLastIndex(({ text }) => text.startsWith(begin));
    return new GuestLost(
      code,
      `the virtual machine was lost: ${what}`,
      this.log,
      this.#console.slice(Math.max(0, from)),
    );
  }
}

function logNotWritten(error: NodeJS.ErrnoException, log: string): unknown {
  const full = namingFullDisk(error, dirname(log));
  if (full !== error) return full;
  return new SutureError("OUTPUT_NOT_WRITABLE", `cannot write the log: ${error.code ?? error.message}`, {
    where: log,
    hint: "name a file in a directory that is there and that you can write to with --log",
    cause: error,
  });
}

/**
 * Levels in the log, all of them; a panic ends the machine; user space may
 * write to the log without limit. The crypto self-tests of the boot are left
 * out for speed and turned on again by the guest's init, for what is loaded later.
 */
const KERNEL_OPTIONS = [
  "console_msg_format=syslog",
  "printk.time=1",
  "ignore_loglevel",
  "printk.devkmsg=on",
  "panic=-1",
  "cryptomgr.notests=1",
];

function lastWords(log: readonly LogLine[]): string | undefined {
  const words = log.slice(-5).map(({ text }) => text);
  return words.length === 0 ? undefined : `its last words: ${words.join(" / ")}`;
}

function shortened(command: string): string {
  return command.length <= 120 ? command : `${command.slice(0, 120)}…`;
}
