/** The part of docs/benchmarks.md about headers that very many units include. */
import type { Wide, WideResults } from "./wide.ts";

/** Of docs/benchmarks.md. @param resultsOf what a run has left */
export function wide(resultsOf: <Results>(name: string) => Results | undefined): string[] {
  const found = resultsOf<WideResults>("wide");
  if (found === undefined) return [];
  const row = (each: Wide): string => {
    const outcome = each.outcome === "refused" ? `refused: ${each.codes.join(", ")}` : each.outcome;
    return `| ${each.file} and ${each.headers.join(", ")} | ${each.readers} | ${outcome} | ${each.units} | ${each.coldSeconds} s | ${each.coldProcessorSeconds} s | ${each.warmSeconds} s | ${each.warmProcessorSeconds} s | ${each.peakMegabytes} MB | ${each.load} |`;
  };
  return [
    "## Headers that very many units include",
    "",
    "`npx node bench/wide.ts`: files of the corpus with the headers that they need, for a kernel that is ready, with nothing of the diff in the cache, and again. The units are those that may read one of the headers, and those that were compiled, where it was built.",
    "",
    "| diff | read by | outcome | compiled | cold | of processors | warm | of processors | memory | load |",
    "|---|---|---|---|---|---|---|---|---|---|",
    ...found.diffs.map(row),
    "",
  ];
}
