/** The part of docs/benchmarks.md that is about running programs, from what the runs have left. */

/** What a run has left; undefined where it has not run. */
type ResultsOf = <Results>(name: string) => Results | undefined;

interface StopRow {
  readonly threads: number;
  readonly floorUs: number;
  readonly laterUs: number;
  readonly firstUs: number;
  readonly laterTimesFloor: number;
  readonly firstTimesFloor: number;
}

interface Spread {
  readonly least: number;
  readonly median: number;
  readonly p99: number;
}

interface Model {
  readonly transitions: number;
  readonly reversed: number;
  readonly calls: number;
  readonly transitionMs: Spread;
  readonly taskUs?: Spread;
}

interface Models {
  /** Processes that ran or waited for a processor, by /proc/loadavg, when it was over. */
  readonly load?: number;
  readonly threads: number;
  readonly transitionsEachWay: number;
  readonly calls: number;
  readonly mixed: number;
  readonly models: { readonly [name: string]: Model };
}

interface CallCost {
  readonly more: { readonly behind: number; readonly ahead: number; readonly after: number };
  readonly nanosecondsPerCall: { readonly before: number };
}

interface Latency {
  readonly p999: number;
  readonly perSecond: number;
}

interface RedisLatency {
  readonly requests: number;
  readonly pauseMs: number;
  readonly rows: readonly { readonly alone: Latency; readonly patched: Latency; readonly toggles: number }[];
  readonly medianMoreMs: number;
  readonly medianStopUs: number;
}

interface ManyRow {
  readonly processes: number;
  readonly threads: number;
  readonly patches: number;
  readonly millisecondsEach: number;
  readonly medianStopUs: number;
  readonly peakMegabytes: number;
  readonly kilobytesEach: number;
}

interface States {
  readonly [state: string]: number;
}

interface Kills {
  readonly kills: number;
  readonly threads: number;
  readonly left: { readonly [model: string]: States };
}

interface Restless {
  readonly events: number;
  readonly found: { readonly [event: string]: States };
}

export function processes(resultsOf: ResultsOf): string[] {
  return [
    ...stops(resultsOf("process-stop")),
    ...models(resultsOf("models")),
    ...callCost(resultsOf("call-cost")),
    ...latency(resultsOf("redis-latency")),
    ...many(resultsOf("process-many")),
    ...interrupted(resultsOf("kills"), resultsOf("restless")),
    ...forged(resultsOf("forged")),
    ...resident(resultsOf("resident")),
  ];
}

interface Most {
  readonly least: number;
  readonly median: number;
  readonly most: number;
}

interface Resident {
  readonly runs: number;
  readonly loadMs: { readonly alone: Most; readonly served: Most };
  readonly startMs: Most;
  readonly status: { readonly processes: number; readonly ms: Most };
  readonly idle: { readonly seconds: number; readonly wakeups: number; readonly megabytes: number };
}

function resident(found: Resident | undefined): string[] {
  if (found === undefined) return [];
  const { runs, loadMs, startMs, status, idle } = found;
  const row = (name: string, { least, median, most }: Most): readonly string[] => [
    name,
    `${least} ms`,
    `${median} ms`,
    `${most} ms`,
  ];
  return [
    "## Processes: suture on a machine",
    "",
    `\`npx node bench/process/resident.ts\`: ${runs} runs each. Commands are measured from their start to their end. While nothing was asked of it for ${idle.seconds} s, the daemon's threads woke up ${idle.wakeups} times; it has ${idle.megabytes} MB in memory, run from its sources.`,
    "",
    ...table(
      ["", "least", "median", "most"],
      [
        row("`suture load` of one process, no daemon", loadMs.alone),
        row("`suture load` of one process, with the daemon", loadMs.served),
        row("a new process, from the start of its code to the first patched call", startMs),
        row(`\`suture status\` over ${status.processes} patched processes`, status.ms),
      ],
    ),
  ];
}

interface Forged {
  readonly runs: number;
  readonly seed: number;
  readonly longestMs: number;
  readonly grownMb: number;
  readonly codes: { readonly [verb: string]: { readonly [code: string]: number } };
}

function forged(found: Forged | undefined): string[] {
  if (found === undefined) return [];
  const { runs, seed, longestMs, grownMb, codes } = found;
  return [
    "## Processes: forged records",
    "",
    `\`npx node bench/process/forged.ts\`: root's commands on a program that forges what is remembered in it, ${runs} in one process of ours (seed ${seed}). None ended with INTERNAL; the longest took ${longestMs} ms of a processor's time; our memory was at most ${grownMb} MB more than at the start.`,
    "",
    ...table(
      ["command", "how often it ended so"],
      Object.entries(codes).map(([verb, ends]) => [
        verb,
        Object.entries(ends)
          .map(([code, count]) => `${code} ${count}`)
          .join(", "),
      ]),
    ),
  ];
}

function stops(found: { readonly rows: readonly StopRow[] } | undefined): string[] {
  if (found === undefined) return [];
  return [
    "## Processes: what a stop costs",
    "",
    "`npx node bench/process/stop.ts`: all threads stopped, their registers read, all resumed, a quarter of them spinning; beside a small C program that does just that (bench/process/floor.c), in turns. Medians.",
    "",
    ...table(
      ["threads", "C", "a stop", "times C", "the first stop of a fresh command", "times C"],
      found.rows.map((row) => [
        row.threads,
        `${row.floorUs} µs`,
        `${row.laterUs} µs`,
        row.laterTimesFloor,
        `${row.firstUs} µs`,
        row.firstTimesFloor,
      ]),
    ),
  ];
}

function models(found: Models | undefined): string[] {
  if (found === undefined) return [];
  return [
    "## Processes: the three models",
    "",
    `\`npx node bench/process/models.ts\`: a program of ${found.threads} threads that call two patched functions inside a third, ${found.transitionsEachWay} transitions each way. ${found.calls} calls were checked against the universe of their task: ${found.mixed} were mixed. The machine's load was ${found.load ?? "not noted"} at the end.`,
    "",
    ...table(
      [
        "model",
        "transitions each way",
        "turned back",
        "one transition, median",
        "least",
        "99 % within",
        "a thread, median",
      ],
      Object.entries(found.models).map(([name, model]) => [
        name,
        model.transitions,
        model.reversed,
        `${model.transitionMs.median} ms`,
        `${model.transitionMs.least} ms`,
        `${model.transitionMs.p99} ms`,
        model.taskUs === undefined ? "" : `${model.taskUs.median} µs`,
      ]),
    ),
  ];
}

function callCost(found: CallCost | undefined): string[] {
  if (found === undefined) return [];
  const { more, nanosecondsPerCall } = found;
  const ns = (value: number): string => `${value.toFixed(2)} ns`;
  return [
    "## Processes: what a call costs more",
    "",
    `\`npx node bench/process/call-cost.ts\`: a call takes ${ns(nanosecondsPerCall.before)} before.`,
    "",
    ...table(
      ["during a transition, behind", "during a transition, ahead", "after it"],
      [[ns(more.behind), ns(more.ahead), ns(more.after)]],
    ),
  ];
}

function latency(found: RedisLatency | undefined): string[] {
  if (found === undefined) return [];
  return [
    "## Processes: a stock redis-server while a livepatch comes and goes",
    "",
    `\`npx node bench/process/redis-latency.ts\`: pairs of redis-benchmark runs, of a server left alone and of one (${found.requests} requests) in which one command that stays attached disables and enables a livepatch again and again, ${found.pauseMs} ms after each other. A stop takes ${Math.round(found.medianStopUs)} µs (median); server, load generator and patcher share the processors. The 99.9th percentile is ${found.medianMoreMs.toFixed(2)} ms higher (median of the pairs).`,
    "",
    ...table(
      ["99.9 % alone", "99.9 % while toggled", "toggles", "requests a second alone", "while toggled"],
      found.rows.map(({ alone, patched, toggles }) => [
        `${alone.p999} ms`,
        `${patched.p999} ms`,
        toggles,
        Math.round(alone.perSecond),
        Math.round(patched.perSecond),
      ]),
    ),
  ];
}

function many(found: { readonly rows: readonly ManyRow[] } | undefined): string[] {
  if (found === undefined) return [];
  return [
    "## Processes: many at a time",
    "",
    "`npx node bench/process/many.ts`: one `suture load --all`, start of the command included.",
    "",
    ...table(
      [
        "processes",
        "threads each",
        "livepatches there already",
        "a process",
        "stopped, median",
        "memory of the command",
        "memory more in each process",
      ],
      found.rows.map((row) => [
        row.processes,
        row.threads,
        row.patches,
        `${row.millisecondsEach} ms`,
        `${row.medianStopUs} µs`,
        `${row.peakMegabytes} MB`,
        `${row.kilobytesEach} kB`,
      ]),
    ),
  ];
}

function interrupted(kills: Kills | undefined, restless: Restless | undefined): string[] {
  const lines: string[] = [];
  if (kills !== undefined) {
    lines.push(
      `\`npx node bench/process/kills.ts\`: a command that applies and reverts is killed (SIGKILL) at ${kills.kills} random moments; the program, of ${kills.threads} threads, goes on each time, no call is of another universe, and a fresh command finds what was left and undoes it.`,
      "",
      ...table(["model", "what it found"], Object.entries(kills.left).map(stateRow)),
    );
  }
  if (restless !== undefined) {
    lines.push(
      `\`npx node bench/process/restless.ts\`: ${restless.events} times something happens to the program in the middle of it, and the command is killed a moment later.`,
      "",
      ...table(["what happens", "what a fresh command found"], Object.entries(restless.found).map(stateRow)),
    );
  }
  return lines.length === 0 ? [] : ["## Processes: killed commands and restless programs", "", ...lines];
}

function stateRow([name, states]: readonly [string, States]): readonly string[] {
  return [
    name,
    Object.entries(states)
      .sort(([, a], [, b]) => b - a)
      .map(([state, times]) => `${times} × ${state}`)
      .join("; "),
  ];
}

function table(heads: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(" | ")} |`;
  return [line(heads), line(heads.map(() => "---")), ...rows.map(line), ""];
}
