/**
 * A livepatch in a guest's kernel. What it looks like, when its transition has ended and
 * who holds that up is read as from a running kernel (targets/kernel); the files come
 * by commands of the guest's shell, all that a question needs in one.
 */
import { holderOf, type KernelHolder, stateBehind } from "../targets/kernel/holders.ts";
import { type FileTree, LIVEPATCHES, patchIn, type SysfsPatch } from "../targets/kernel/sysfs.ts";
import { type Settled, settledAs } from "../targets/kernel/transition.ts";
import { quoted } from "./guest.ts";
import type { Job } from "./vm.ts";

/** Runs a command in the guest. */
export type RunInGuest = (command: string) => Promise<Job>;

/** What became of a transition that a command began. */
export type Change =
  | Settled
  /** The command failed. */
  | { readonly kind: "failed"; readonly said: string; readonly status: number };

/** Commands for one livepatch, by its name. They all throw what `RunInGuest` throws. */
export class GuestLivepatch {
  readonly #run: RunInGuest;
  readonly #name: string;
  readonly #directory: string;

  constructor(run: RunInGuest, name: string) {
    this.#run = run;
    this.#name = name;
    this.#directory = `/${LIVEPATCHES}/${name}`;
  }

  /** undefined where it is not in the kernel, or disabled. */
  async look(): Promise<SysfsPatch | undefined> {
    return this.#patchIn(await this.#run(this.#look));
  }

  /** @param looks how many the guest may take at a transition that goes on, a fiftieth of a second or more each */
  async load(file: string, looks: number): Promise<Change> {
    return await this.#changed(`insmod ${quoted(file)}`, looks);
  }

  /** @param looks see `load` */
  async disable(looks: number): Promise<Change> {
    return await this.#changed(`echo 0 > ${this.#directory}/enabled`, looks);
  }

  /** Takes its module out. One that is busy for a moment is tried again. */
  async unload(): Promise<Job> {
    return await this.#run(`unload ${quoted(this.#name)}`);
  }

  /** Fails where its module, which holds itself, can be taken out. */
  async stays(): Promise<Job> {
    return await this.#run(`stays ${quoted(this.#name)}`);
  }

  /** At most 20 of the tasks that hold a transition of it up. */
  async holders(patch: SysfsPatch): Promise<KernelHolder[]> {
    const { output } = await this.#run(`tasks ${stateBehind(patch)}`);
    return tasksIn(output).map((task) => holderOf(task, patch));
  }

  async #changed(command: string, looks: number): Promise<Change> {
    let job = await this.#run(`${command} && ${this.#look}`);
    if (job.status !== 0) return { kind: "failed", said: job.output.trim(), status: job.status };
    for (;;) {
      const seen = settledAs(this.#patchIn(job));
      if (seen.kind !== "late" || job.status === STILL) return seen;
      const goesOn = seen.patch.transition ? "1" : "0";
      job = await this.#run(
        `while_reads ${this.#directory}/transition ${goesOn} ${looks}; s=$?; ${this.#look}; exit $s`,
      );
    }
  }

  get #look(): string {
    return `files_below ${this.#directory}`;
  }

  #patchIn({ output }: Job): SysfsPatch | undefined {
    return patchIn(this.#name, filesIn(output));
  }
}

/** What `while_reads` gives for a file that has not changed. */
const STILL = 2;

/** What the guest's `files_below` prints: a line for a file or a directory. */
function filesIn(output: string): FileTree {
  return new Map([...output.matchAll(/^(\S+) ?(.*)$/gm)].map(([, path = "", text = ""]) => [path, text]));
}

/** What the guest's `tasks` prints: for each task its ids, and then its files by lines that begin with their names. */
function tasksIn(output: string) {
  return output
    .split(/^task /m)
    .slice(1)
    .map((text) => {
      const [, pid = "", tid = ""] = /^(\d+) (\d+)$/m.exec(text) ?? [];
      const file = (name: string): string =>
        text
          .split("\n")
          .flatMap((line) => (line.startsWith(`${name} `) ? [line.slice(name.length + 1)] : []))
          .join("\n");
      return { pid, tid, comm: file("comm"), stat: file("stat"), stack: file("stack") };
    });
}

const MOST_TASKS = 4;

/** One sentence; it names some of the tasks. */
export function whyTransitionStays(holders: readonly KernelHolder[]): string {
  const tasks = holders.map(({ name, tid, why }) => `${name} (${tid}), ${why.replaceAll("; ", ", ")}`);
  const more = tasks.length > MOST_TASKS ? `; and ${tasks.length - MOST_TASKS} more tasks` : "";
  const named = tasks.length === 0 ? "no task is behind any more" : tasks.slice(0, MOST_TASKS).join("; ");
  return `the transition does not end: ${named}${more}`;
}
