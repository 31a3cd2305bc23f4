/** docs/benchmarks.md from what the runs have left in bench/results. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import type { Summary } from "./corpus/summary.ts";
import type { ForecastResults, ForecastRow } from "./forecast.ts";
import type { Growth, GrowthResults } from "./growth.ts";
import { kernels } from "./kernels-figures.ts";
import { lasting } from "./lasting-figures.ts";
import type { KindRow, MutantSummary } from "./mutants/summary.ts";
import { ownKernels } from "./own-kernel/figures.ts";
import { processes } from "./process/figures.ts";
import type { Ready } from "./ready.ts";
import type { S390xResults } from "./s390x.ts";
import { wide } from "./wide-figures.ts";

const RESULTS = new URL("./results/", import.meta.url);
const PAGE = new URL("../docs/benchmarks.md", import.meta.url);

/** What a run has left; undefined where it has not run. */
function resultsOf<Results>(name: string): Results | undefined {
  const file = new URL(`${name}.json`, RESULTS);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Results) : undefined;
}

function corpus(title: string, command: string, name: string): string[] {
  const found = resultsOf<Summary & { readonly seed?: number; readonly of?: number }>(name);
  if (found === undefined) return [];
  const { ratioToCompiles, diffAndLinkSeconds, functions, withOthers } = found;
  const audited = resultsOf<Summary>(`${name}-audit`);
  const rows: [string, string][] = [
    ["files", `${found.files}${found.seed === undefined ? "" : ` of ${found.of}, picked with seed ${found.seed}`}`],
    ["built", String(found.built)],
    [
      "loaded, patched with the target module before it and after it, unloaded, nothing in the kernel log",
      String(found.loaded),
    ],
    ["refused, each with its reason", String(found.refused)],
    ["no code change", String(found.noChange)],
    ["need other files of the release", String(found.needsOthers)],
    ["of these, with the files added that they need", outcomesOf(withOthers, found.needsOthers)],
    ["crashed", String(found.crashed)],
    ["functions of the originals proved equal to the shipped code", String(functions.proved)],
    [
      "functions that are in the object and not in what ships (overridden weak ones and the like)",
      String(functions.absent),
    ],
    ["functions that differ", String(functions.differing)],
    ["functions that the match says nothing about", String(functions.unaccounted)],
  ];
  if (audited?.audit !== undefined) {
    const { audit } = audited;
    rows.push(
      [
        `built again, with \`--audit --no-vm --no-timing\` (bench/results/${name}-audit.tsv)`,
        `${audited.built}, and ${audited.withOthers.built} with others`,
      ],
      ["refused, no code change, crashed in that run", `${audited.refused}, ${audited.noChange}, ${audited.crashed}`],
      [
        "of these livepatches, those in which `suture audit` found anything that is not accounted for, or patched for nothing",
        `${audit.withFindings} of ${audit.livepatches}`,
      ],
    );
  }
  const others = resultsOf<{ readonly livepatches: number; readonly withFindings: number }>(`${name}-others-audit`);
  if (others !== undefined)
    rows.push([
      `the same of those with others alone, in two runs (bench/results/${name}-others-audit.tsv)`,
      `${others.withFindings} of ${others.livepatches}`,
    ]);
  if (ratioToCompiles !== undefined)
    rows.push([
      "warm build, times as long as its two compile commands alone",
      `median ${ratioToCompiles.median}, 90 % at most ${ratioToCompiles.p90}`,
    ]);
  if (diffAndLinkSeconds !== undefined) rows.push(["object diff and link", `median ${diffAndLinkSeconds.median} s`]);
  return [
    `## ${title}`,
    "",
    `\`${command}\`; the table of files is bench/results/${name}.tsv.`,
    "",
    "| what | figure |",
    "|---|---|",
    ...rows.map(([what, figure]) => `| ${what} | ${figure} |`),
    "",
  ];
}

function outcomesOf(outcomes: Summary["withOthers"], files: number): string {
  const tried = Object.values(outcomes).reduce((sum, count) => sum + count, 0);
  const words: readonly (readonly [number, string])[] = [
    [outcomes.built, "built"],
    [outcomes.refused, "refused"],
    [outcomes.noChange, "without a change of code"],
    [outcomes.tooWide, "that reach more translation units than are tried"],
    [outcomes.outOfTime, "for which not all were found in ten minutes"],
    [outcomes.stuck, "for which nothing that could be added has what is missing"],
    [outcomes.crashed, "crashed"],
    [files - tried, "not tried"],
  ];
  return words
    .filter(([count]) => count > 0)
    .map(([count, what]) => `${count} ${what}`)
    .join("; ");
}

interface CatchUpResults {
  readonly programs: readonly {
    readonly package: string;
    readonly from: string;
    readonly to: string;
    readonly tries: number;
    readonly seconds: number;
    readonly fixes: readonly { readonly name: string; readonly state: string; readonly code?: string }[];
    readonly stopsUs: readonly number[];
    readonly generator: string;
    readonly requests: number;
    readonly errors: number;
    readonly probes: readonly { readonly fix: string; readonly caughtUp: string; readonly twin: string }[];
  }[];
}

function catchUp(): string[] {
  const found = resultsOf<CatchUpResults>("catch-up");
  if (found === undefined) return [];
  const named = (fixes: CatchUpResults["programs"][number]["fixes"]): string =>
    fixes.length === 0
      ? "none"
      : fixes.map(({ name, code }) => (code === undefined ? name : `${name} (${code})`)).join(", ");
  const rows = found.programs.map((each) => {
    const [live, waits] = [
      each.fixes.filter(({ state }) => state === "live"),
      each.fixes.filter(({ state }) => state === "waits"),
    ];
    const load = `${each.generator}: ${each.requests.toLocaleString("en")} answers, ${each.errors} errors`;
    return `| ${each.package} | ${each.from} | ${each.to} | ${named(live)} | ${named(waits)} | ${each.tries} | ${each.stopsUs.join(", ")} µs | ${load} |`;
  });
  const seen = found.programs.flatMap((each) =>
    each.probes.map(({ fix, caughtUp, twin }) => `| ${each.package} | ${fix} | ${caughtUp} | ${twin} |`),
  );
  return [
    "## Catching up",
    "",
    "`npx node bench/process/catch-up.ts`: a version of Debian 12's that is behind, under load, and caught up by `suture catch-up PACKAGE`. The twin is the same file, started afterwards without the livepatch.",
    "",
    "| package | runs | up to | live | wait | sets tried | stood still | load |",
    "|---|---|---|---|---|---|---|---|",
    ...rows,
    "",
    "| package | fix | what is seen of it | in the twin |",
    "|---|---|---|---|",
    ...seen,
    "",
  ];
}

interface KernelSeriesResults {
  readonly kernel: { readonly without: string; readonly with: string };
  readonly whole: {
    readonly tries: number;
    readonly fixes: readonly { readonly name: string; readonly state: string; readonly code?: string }[];
  };
  readonly seed: number;
  readonly subsets: {
    readonly picked: readonly string[];
    readonly built: number;
    readonly chosen: readonly string[];
    readonly greatest: number;
    readonly tries: number;
  };
}

function kernelSeries(): string[] {
  const found = resultsOf<KernelSeriesResults>("kernel-series");
  if (found === undefined) return [];
  const { kernel, whole, seed, subsets } = found;
  const named = (state: string): string =>
    whole.fixes
      .filter((fix) => fix.state === state)
      .map(({ name, code }) => (code === undefined ? plainName(name) : `${plainName(name)} (${code})`))
      .join(", ");
  const rows = [
    ["in one livepatch", named("in")],
    ["refused", named("fails")],
    ["can be had alone, and not beside the others", named("conflict")],
    ["need one that is left out", named("needs")],
    ["change nothing by themselves", named("changes nothing")],
  ].filter(([, fixes]) => fixes !== "");
  return [
    "## A series for a kernel",
    "",
    `\`npx node bench/kernel-series.ts\`: ${whole.fixes.length} fixes with their boundaries, cut by hand from what differs between ${kernel.without} and ${kernel.with}; ${whole.tries} sets were tried.`,
    "",
    "| what became of them | fixes |",
    "|---|---|",
    ...rows.map(([what, fixes]) => `| ${what} | ${fixes} |`),
    "",
    `Of 8 picked with seed ${seed} (${subsets.picked.map(plainName).join(", ")}), each of the ${subsets.built} sets that hold what their fixes need was built: the greatest has ${subsets.greatest} fixes, and the search, which tried ${subsets.tries} sets, has found one as great (${subsets.chosen.map(plainName).join(", ")}).`,
    "",
  ];
}

function plainName(patch: string): string {
  return patch.replace(/\.patch$/, "");
}

function ready(): string[] {
  const found = resultsOf<{ readonly kernels: readonly Ready[] }>("ready");
  if (found === undefined) return [];
  const rows = found.kernels.map(
    (each) =>
      `| ${each.release} | ${each.fromNothingSeconds} s | ${each.afterDownloadSeconds} s | ${each.processorSeconds} s | ${each.peakMegabytes} MB | ${each.megabytes} MB | ${each.packagesMegabytes} MB | ${each.load} |`,
  );
  return [
    "## Making a kernel ready",
    "",
    "`npx node bench/ready.ts`: `suture kernel fetch` with an empty cache, and then with the packages alone in it.",
    "",
    "| kernel | with the download | after it | of a processor | memory | on disk | its packages | load |",
    "|---|---|---|---|---|---|---|---|",
    ...rows,
    "",
  ];
}

function mutants(): string[] {
  const found = resultsOf<MutantSummary>("mutants");
  if (found === undefined) return [];
  const row = (each: KindRow): string =>
    `| ${each.kind} | ${each.made} | ${each.built} | ${each.refused} | ${each.noChange} | ${each.unaccounted} | ${each.rehearsed} | ${each.held} | ${each.unsafe} |`;
  const refusals = Object.entries(found.refusals).sort((a, b) => b[1] - a[1]);
  return [
    "## Mutants: source diffs made by machine",
    "",
    `\`npx node bench/mutants.ts --count ${found.count} --seed ${found.seed}\` for ${found.release}: ${found.count} change code; ${found.total.noChange} more change none by what the build says, which the plain comparer looks at as well, and ${found.notCompiled} were no C. ${found.crashed} crashed the build. What was found on the way was mended and made again with the mend: the run went over ${found.commits.length} commits. Those whose effect a variable keeps off are tried in a guest, and looked for in its memory; held: a task that sleeps in a patched function kept the transition from ending.`,
    "",
    "| kind | made | built | refused | no change of code | with anything that is not accounted for | tried in a guest | held | unsafe |",
    "|---|---|---|---|---|---|---|---|---|",
    ...found.kinds.map(row),
    row(found.total),
    "",
    "| refused with | mutants |",
    "|---|---|",
    ...refusals.map(([code, count]) => `| ${code} | ${count} |`),
    "",
  ];
}

function growth(): string[] {
  const found = resultsOf<GrowthResults>("growth");
  if (found === undefined) return [];
  const row = (name: string, each: Growth): string =>
    `| ${name} | ${each.units} | ${each.functions} | ${each.coldSeconds} s | ${each.warmSeconds} s | ${each.processorSeconds} s | ${(each.processorSeconds / each.units).toFixed(2)} s | ${each.peakMegabytes} MB | ${each.load ?? "not noted"} |`;
  return [
    "## From 1 to 100 translation units, and a header that many include",
    "",
    "`npx node bench/growth.ts`: `suture build` of one diff, with no original in the cache and with all of them. Memory is that of `suture` itself, without the compilers.",
    "",
    "| diff | units | functions patched | cold | warm | of processors | a unit | memory | load |",
    "|---|---|---|---|---|---|---|---|---|",
    ...found.sizes.map((each) => row(each.units === 1 ? "one file" : `${each.units} files`, each)),
    ...(found.header === undefined ? [] : [row(`${found.header.path} and one function`, found.header)]),
    "",
  ];
}

function forecast(): string[] {
  const found = resultsOf<ForecastResults>("forecast");
  if (found === undefined) return [];
  const shown = (each: ForecastRow): string =>
    `| ${each.function} | ${each.hasSitter ? "yes" : "no"} | ${each.forecast} | ${each.loading} | ${each.right ? "" : "wrong"} |`;
  return [
    "## Who holds a transition up",
    "",
    `\`npx node bench/forecast.ts\`: what \`suture preflight\` foretells for livepatches of ${found.of} functions of ${found.release}, and what loading them shows: right ${found.right} times. Held up is a transition that has not ended after 4 s.`,
    "",
    "| function | a task was put there | forecast | loading | |",
    "|---|---|---|---|---|",
    ...found.rows.map(shown),
    "",
  ];
}

function s390x(): string[] {
  const found = resultsOf<S390xResults>("s390x");
  if (found === undefined) return [];
  return [
    "## The match on s390x",
    "",
    `\`npx node bench/s390x.ts\`: ${found.files} files of ${found.release} (${found.version}), compiled by the cross compiler, against its image. What differs is named.`,
    "",
    "| what | figure |",
    "|---|---|",
    `| functions proved equal to the shipped code | ${found.proved} |`,
    `| functions that are in the object and not in what ships (overridden weak ones) | ${found.absent} |`,
    `| functions that differ | ${found.differing.length} |`,
    ...found.differing.map((each) => `| | ${each} |`),
    "",
  ];
}

const lines = [
  "# Benchmarks",
  "",
  "Made by `npx node bench/document.ts` from bench/results. Speed is a ratio measured in one run; other figures of time hold for this machine alone, and where the load is above the number of processors, only those of processors hold at all:",
  `${cpus().length} processors (${cpus()[0]?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB of memory; virtual machines in software emulation.`,
  "",
  ...corpus("6.1: every .c file that differs between 6.1.170-3 and 6.1.176-1", "make bench-corpus", "kernel-corpus"),
  ...corpus(
    "6.12: files picked at random from those that differ between 6.12.107-1 and 6.12.117-1",
    "npx node bench/kernel-612.ts",
    "kernel-6.12",
  ),
  ...kernels(resultsOf("kernels")),
  ...mutants(),
  ...forecast(),
  ...catchUp(),
  ...ownKernels(resultsOf("own-kernel")),
  ...kernelSeries(),
  ...s390x(),
  ...ready(),
  ...growth(),
  ...wide(resultsOf),
  ...processes(resultsOf),
  ...lasting(resultsOf),
];
writeFileSync(PAGE, `${lines.join("\n").trimEnd()}\n`);
