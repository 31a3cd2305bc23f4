/** docs/benchmarks.md from what the runs have left in bench/results. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import type { Summary } from "./corpus/summary.ts";

const RESULTS = new URL("./results/", import.meta.url);
const PAGE = new URL("../docs/benchmarks.md", import.meta.url);

function summary(name: string): (Summary & { readonly seed?: number }) | undefined {
  const file = new URL(`${name}.json`, RESULTS);
  return existsSync(file)
    ? (JSON.parse(readFileSync(file, "utf8")) as Summary & { readonly seed?: number })
    : undefined;
}

function corpus(title: string, command: string, name: string): string[] {
  const found = summary(name);
  if (found === undefined) return [];
  const { ratioToCompiles, diffAndLinkSeconds, functions } = found;
  const rows: [string, string][] = [
    ["files", `${found.files}${found.seed === undefined ? "" : `, picked with seed ${found.seed}`}`],
    ["built", String(found.built)],
    [
      "loaded, patched with the target module before it and after it, unloaded, nothing in the kernel log",
      String(found.loaded),
    ],
    ["refused, each with its reason", String(found.refused)],
    ["no code change", String(found.noChange)],
    ["need other files of the release", String(found.needsOthers)],
    ["crashed", String(found.crashed)],
    ["functions of the originals proved equal to the shipped code", String(functions.proved)],
    [
      "functions that are in the object and not in what ships (overridden weak ones and the like)",
      String(functions.absent),
    ],
    ["functions that differ", String(functions.differing)],
    ["functions that the match says nothing about", String(functions.unaccounted)],
  ];
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

const lines = [
  "# Benchmarks",
  "",
  "Made by `node bench/document.ts` from bench/results. Speed is a ratio measured in one run; other figures of time hold for this machine alone:",
  `${cpus().length} processors (${cpus()[0]?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB of memory; virtual machines in software emulation.`,
  "",
  ...corpus("6.1: every .c file that differs between 6.1.170-3 and 6.1.176-1", "make bench-corpus", "kernel-corpus"),
  ...corpus(
    "6.12: files picked at random from those that differ between 6.12.107-1 and 6.12.117-1",
    "node bench/kernel-612.ts",
    "kernel-6.12",
  ),
];
writeFileSync(PAGE, `${lines.join("\n").trimEnd()}\n`);
