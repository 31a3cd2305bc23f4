/** sutured: stays, and brings what is installed into the processes that start. */
import { existsSync, type FSWatcher, watch } from "node:fs";
import { problemOf } from "../../lib/error.ts";
import { throwIfAborted } from "../../lib/interrupt.ts";
import type { ProgramLivepatch } from "../../process/loader/livepatch.ts";
import { type ExecEvent, ExecWatch } from "../../process/os/exec-watch.ts";
import { spareMemory } from "../../process/os/spare-memory.ts";
import type { VerbResult } from "../../targets/verb-result.ts";
import { loadIntoProcess, loadIntoProcesses } from "../boot/running-system.ts";
import type { HostPaths } from "../paths.ts";
import { dropUnneeded } from "../status/drop-unneeded.ts";
import { notePlaces } from "../status/note-places.ts";
import { HostStore } from "../store/store.ts";
import { ExecutedFiles } from "./executed-files.ts";
import { mountPoints } from "./mounts.ts";
import { type Reply, type Request, socketPath } from "./protocol.ts";
import { type Answers, DaemonServer } from "./server.ts";
import { StartLog } from "./start-log.ts";
import { type FileIdentity, neededBy } from "./starting.ts";
import { readWanted, type Wanted } from "./wanted.ts";

/** What a daemon says to the journal: `problem` where somebody has to do something. */
export type Say = (kind: "note" | "problem", text: string) => void;

/** With what it runs. */
export interface DaemonOptions {
  readonly paths: HostPaths;
  readonly say: Say;
  /** Aborted, it ends. */
  readonly signal: AbortSignal;
  /** What it does for those who ask. */
  readonly answers: Answers;
  /** What it is doing, in one line; the first time that it is called all is set up. */
  readonly onStatus: (status: string) => void;
}

const NOTHING: Wanted = {
  livepatches: [],
  buildIds: new Set(),
  paths: new Set(),
  hasLibraries: false,
  refused: [],
  key: "",
};
/** A command writes several times. */
const SETTLE_MS = 200;
/** An upgrade starts what it has brought; then it is looked at what is not needed any more. */
const DROP_AFTER_MS = 10_000;
/** By then what starts has been patched. */
const NOTE_AFTER_MS = 1000;

/** Runs until it is told to end. Throws `NOT_PERMITTED` where this user may not watch processes start, and what `HostStore.change` throws. */
export async function runDaemon(options: DaemonOptions): Promise<void> {
  spareMemory();
  using daemon = await Daemon.start(options);
  await daemon.run();
}

class Daemon implements Disposable {
  readonly #options: DaemonOptions;
  readonly #watch = new ExecWatch();
  readonly #log: StartLog;
  readonly #files = new ExecutedFiles();
  readonly #marked = new Set<string>();
  #wanted = NOTHING;
  readonly #watched: FSWatcher[] = [];
  #server: DaemonServer | undefined;
  #settling: NodeJS.Timeout | undefined;
  #dropping: NodeJS.Timeout | undefined;
  #noting: NodeJS.Timeout | undefined;
  /** Files at places that are not known, and were looked for. */
  readonly #looked = new Set<string>();
  /** One process is changed at a time. */
  #queue: Promise<void> = Promise.resolve();

  private constructor(options: DaemonOptions) {
    this.#options = options;
    this.#log = new StartLog(options.paths, (error) => this.#problem(error));
  }

  static async start(options: DaemonOptions): Promise<Daemon> {
    // A database that comes later would not be seen to change.
    await HostStore.change(options.paths, () => {}, { signal: options.signal });
    const daemon = new Daemon(options);
    options.signal.addEventListener("abort", () => daemon.#watch[Symbol.dispose]());
    daemon.#server = await DaemonServer.start(socketPath(options.paths), {
      isForEverybody: options.answers.isForEverybody,
      answer: async (request, signal) => await daemon.#answer(request, signal),
    });
    // The database may be moved away, and made anew; keys and the configuration say what is let in.
    const { state, configuration, keys } = options.paths;
    for (const path of [state, configuration, keys])
      if (existsSync(path)) daemon.#watched.push(watch(path, () => daemon.#settle()));
    await daemon.#renew();
    return daemon;
  }

  [Symbol.dispose](): void {
    for (const each of this.#watched) each.close();
    this.#server?.[Symbol.dispose]();
    clearTimeout(this.#settling);
    clearTimeout(this.#dropping);
    clearTimeout(this.#noting);
    this.#watch[Symbol.dispose]();
    this.#log[Symbol.dispose]();
  }

  async run(): Promise<void> {
    while (await this.#watch.wait()) {
      const { isLost, isMounted } = this.#watch.take((event) => this.#executed(event));
      if (isMounted) this.#mark();
      if (isLost) {
        this.#options.say("note", "more programs were started than could be told of: all processes are looked at");
        this.#later(async () => await this.#everywhere());
      }
    }
    await this.#queue;
  }

  /** What is to be brought into processes has changed, or may have. */
  #settle(): void {
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      this.#later(async () => await this.#renew());
    }, SETTLE_MS);
  }

  async #renew(): Promise<void> {
    const wanted = await readWanted(this.#options.paths);
    if (wanted.key === this.#wanted.key && this.#wanted !== NOTHING) return;
    this.#wanted = wanted;
    for (const line of wanted.refused) this.#options.say("problem", `not loaded: ${line}`);
    this.#mark();
    // First those that run: whoever starts from now on is told of.
    await this.#everywhere();
    const { length } = wanted.livepatches;
    const them = length === 1 ? "1 livepatch" : `${length} livepatches`;
    this.#options.onStatus(
      `${them} for new processes${wanted.refused.length > 0 ? `, ${wanted.refused.length} not let in` : ""}`,
    );
  }

  /** Where nothing is installed for programs no program wakes it up. */
  #mark(): void {
    if (this.#wanted.livepatches.length === 0) {
      this.#watch.clear();
      this.#marked.clear();
      return;
    }
    for (const [device, point] of mountPoints()) {
      if (this.#marked.has(device) || !this.#watch.add(point)) continue;
      this.#marked.add(device);
    }
  }

  #executed({ pid, fd }: ExecEvent): void {
    const file = this.#files.look(fd);
    const { buildIds, hasLibraries, paths } = this.#wanted;
    if (file.buildId === undefined) return;
    if (hasLibraries || buildIds.has(file.buildId)) void this.#started(pid, file);
    if (paths.has(file.path)) {
      if (!buildIds.has(file.buildId)) this.#dropSoon();
    } else if (buildIds.has(file.buildId)) this.#noteSoon(`${file.buildId} ${file.path}`);
  }

  async #started(pid: number, file: FileIdentity): Promise<void> {
    try {
      const needed = await neededBy(pid, file, this.#wanted.livepatches);
      for (const livepatch of needed) this.#later(async () => await this.#load(pid, livepatch));
    } catch (error) {
      this.#problem(error);
    }
  }

  async #load(pid: number, livepatch: ProgramLivepatch): Promise<void> {
    const result = await loadIntoProcess(pid, livepatch, { signal: this.#options.signal });
    if (result !== undefined) this.#tell(livepatch.name, result);
  }

  /** Into all that run now. */
  async #everywhere(): Promise<void> {
    for (const livepatch of this.#wanted.livepatches) {
      const results = await loadIntoProcesses(livepatch, { signal: this.#options.signal });
      for (const result of results) this.#tell(livepatch.name, result);
    }
    this.#note();
  }

  #note(): void {
    using store = HostStore.open(this.#options.paths);
    if (store !== undefined) notePlaces(store);
  }

  /** What starts there is patched first. @param file each is looked for once: its place may be none of this mount namespace */
  #noteSoon(file: string): void {
    if (this.#looked.has(file)) return;
    this.#looked.add(file);
    this.#noting ??= setTimeout(() => {
      this.#noting = undefined;
      this.#later(async () => this.#note());
    }, NOTE_AFTER_MS);
  }

  #tell(patch: string, result: VerbResult): void {
    this.#log.add(patch, result);
    const { name, pid, outcome, problems } = result;
    if (outcome === "done" || outcome === "unchanged") return;
    const [problem] = problems;
    this.#options.say("problem", `${patch} in ${name} (${pid}): ${outcome}: ${problem?.code}: ${problem?.what}`);
  }

  /** A new build may run by then, of a program that something was installed for. */
  #dropSoon(): void {
    this.#dropping ??= setTimeout(() => {
      this.#dropping = undefined;
      this.#later(async () => {
        for (const { name } of await dropUnneeded(this.#options.paths, this.#options.signal))
          this.#options.say("note", `${name} is not needed any more, and dropped: another build runs`);
      });
    }, DROP_AFTER_MS);
  }

  /** What only looks waits for nothing. */
  async #answer(request: Request, signal: AbortSignal): Promise<Reply> {
    const { answers } = this.#options;
    const run = async (): Promise<Reply> => {
      throwIfAborted(signal);
      return await answers.answer(request, signal);
    };
    if (answers.isForEverybody(request.command)) return await run();
    const replied = this.#queue.then(run);
    this.#queue = replied.then(
      () => {},
      () => {},
    );
    return await replied;
  }

  #later(work: () => Promise<void>): void {
    this.#queue = this.#queue.then(async () => {
      if (this.#options.signal.aborted) return;
      try {
        await work();
      } catch (error) {
        this.#problem(error);
      }
    });
  }

  #problem(error: unknown): void {
    const { code, what, where } = problemOf(error);
    this.#options.say("problem", [`${code}: ${what}`, where].filter((part) => part !== undefined).join(": "));
  }
}
