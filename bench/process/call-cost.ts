/**
 * What a call of a patched function costs more: while tasks move, for a task that
 * is behind and for one that is ahead, and after the transition. Each figure is
 * the least of many rounds of a million calls, which other work on the machine
 * disturbs least; the rounds of the four states take turns.
 *
 *   node bench/process/call-cost.ts [--rounds N]
 */
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { Hook, Site } from "../../src/core/machine.ts";
import { ProcessMachine } from "../../src/process/machine/process-machine.ts";
import { Apart } from "../../test/process/apart.ts";
import { machine as benchMachine } from "../machine.ts";

const CALLS = 1_000_000;
const RESULTS = new URL("../results/call-cost.json", import.meta.url);

/** Nanoseconds a call. */
async function measure(path: string, shared: string): Promise<object> {
  const program = new Apart(path, [shared], "inherit");
  try {
    await setTimeout(200);
    const { pid } = program;
    using counter = new Rounds(shared);
    using machine = ProcessMachine.attach(pid);
    const [original, patched] = [symbolIn(path, pid, "work"), symbolIn(path, pid, "work_new")];
    const site: Site = { id: "call-cost:work,0", original };
    machine.prepareSites([{ site }]);
    const commit = (hook: Hook, behind: ReadonlySet<number>): void => {
      machine.stopped((system) => system.commit({ hooks: new Map([[site, hook]]), behind, record: "{}" }));
    };
    const choose: Hook = { kind: "choose", behind: "original", ahead: patched.entry };
    const states: { readonly [Name in State]: () => void } = {
      before: () => commit({ kind: "direct", to: "original" }, new Set()),
      behind: () => commit(choose, new Set([pid])),
      ahead: () => {
        machine.stoppedTask(pid, () => machine.advance(pid));
      },
      after: () => commit({ kind: "direct", to: patched.entry }, new Set()),
    };
    const least: { [Name in State]?: number } = {};
    for (let round = 0; round < rounds; round++) {
      for (const name of Object.keys(states) as State[]) {
        states[name]();
        const time = (await counter.next(name === "before" || name === "behind" ? 1 : 2)) / CALLS;
        least[name] = Math.min(least[name] ?? Number.POSITIVE_INFINITY, time);
      }
    }
    states.before();
    const { before = 0, behind = 0, ahead = 0, after = 0 } = least;
    return {
      nanosecondsPerCall: { before, behind, ahead, after },
      more: { behind: behind - before, ahead: ahead - before, after: after - before },
    };
  } finally {
    program[Symbol.dispose]();
  }
}

type State = "before" | "behind" | "ahead" | "after";

/** Asks the program for rounds and reads how long they took. */
class Rounds {
  readonly #path: string;
  readonly #file: number;
  #asked = 0n;

  constructor(path: string) {
    this.#path = path;
    this.#file = openSync(path, "r+");
  }

  /** Nanoseconds of one round; throws where the calls did not reach the version that adds `adds`. */
  async next(adds: number): Promise<number> {
    this.#asked++;
    const wanted = Buffer.alloc(8);
    wanted.writeBigUInt64LE(this.#asked);
    writeSync(this.#file, wanted, 0, 8, 0);
    for (;;) {
      const shared = readFileSync(this.#path);
      if (shared.readBigUInt64LE(8) === this.#asked) {
        const expected = (CALLS * (CALLS - 1)) / 2 + CALLS * adds;
        if (Number(shared.readBigUInt64LE(24)) !== expected) throw new Error("calls reached the wrong version");
        return Number(shared.readBigUInt64LE(16));
      }
      await setTimeout(1);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }
}

function symbolIn(path: string, pid: number, name: string): Site["original"] {
  const symbols = execFileSync("nm", ["-S", path], { encoding: "utf8" });
  const [, start = "", size = ""] = new RegExp(`^([0-9a-f]+) ([0-9a-f]+) T ${name}$`, "m").exec(symbols) ?? [];
  const base = Number.parseInt(readFileSync(`/proc/${pid}/maps`, "latin1"), 16);
  const entry = base + Number.parseInt(start, 16);
  return { entry, ranges: [{ start: entry, end: entry + Number.parseInt(size, 16) }] };
}

const { values } = parseArgs({ options: { rounds: { type: "string", default: "200" } } });
const rounds = Number(values.rounds);

const directory = mkdtempSync(join(tmpdir(), "suture-call-cost-"));
try {
  const path = join(directory, "call-cost");
  execFileSync("gcc", ["-O2", "-o", path, new URL("./call-cost.c", import.meta.url).pathname]);
  const results = {
    ...benchMachine(execFileSync("gcc", ["-dumpfullversion"], { encoding: "utf8" }).trim()),
    rounds,
    callsPerRound: CALLS,
    ...(await measure(path, join(directory, "shared"))),
  };
  mkdirSync(new URL(".", RESULTS), { recursive: true });
  writeFileSync(RESULTS, `${JSON.stringify(results, undefined, 2)}\n`);
  process.stdout.write(`${JSON.stringify(results, undefined, 2)}\n`);
} finally {
  rmSync(directory, { recursive: true });
}
