/** The part of docs/benchmarks.md that is about kernels of all suites, from what the runs have left. */
import type { KernelRow, KernelsResults } from "./kernels.ts";

/** All of it. */
export function kernels(found: KernelsResults | undefined): string[] {
  if (found === undefined) return [];
  const row = (each: KernelRow): string => {
    const refused = Object.entries(each.refused).map(([code, count]) => `${count} ${code}`);
    return `| ${each.release} | ${each.suite} | ${each.other} | ${each.files} of ${each.of} | ${each.built} | ${each.noChange} | ${refused.join(", ")} | ${each.held} | ${each.crashed} | ${each.audited} | ${each.rehearsed} | ${ratioOf(each)} |`;
  };
  const ratioOf = ({ timed = 0, ratioToCompiles: ratio }: KernelRow): string =>
    ratio === undefined ? "" : `${ratio.median}, at most ${ratio.p90} (${timed} files)`;
  const sum = (of: (each: KernelRow) => number) => found.kernels.reduce((all, each) => all + of(each), 0);
  const [files, built] = [sum((each) => each.files), sum((each) => each.built)];
  const able = files - sum((each) => each.noChange + each.held + each.idle);
  const open = sum(({ refused }) =>
    ["too-wide", "out-of-time", "NOT_TRIED"].reduce((all, why) => all + (refused[why] ?? 0), 0),
  );
  const percentOf = (all: number) => `${Math.floor((1000 * built) / all) / 10} %`;
  return [
    "## Kernels of all suites",
    "",
    `\`npx node bench/kernels.ts --seed ${found.seed}\` on ${found.machine.system}: files picked at random from those that differ to the version before, or next to it, each alone, and with others of that version where it does not compile alone (too-wide: with headers that more files read than are tried). What was refused and need not be was mended on the way, and made again.`,
    "",
    `Of ${files} files ${able} change code that runs, and neither a layout nor data that the running system holds (DATA_LAYOUT_CHANGED, DATA_CHANGED); **${built} are built**: ${percentOf(able)} of them, and ${percentOf(able - open)} without the ${open} that need headers which more files read than were tried, or for which time was over. ${sum((each) => each.audited)} are audited with nothing found, ${sum((each) => each.rehearsed)} rehearsed clean; ${sum((each) => each.crashed)} crashed.`,
    "",
    "| kernel | suite | differing to | files | built | no change of code | refused | of these, for layouts or data that runs | crashed | audited, nothing found | rehearsed, clean | warm build, times its compiles: median, 90 % |",
    "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ...found.kernels.map(row),
    "",
  ];
}
