/**
 * Every .c file that differs between two stock kernels, as a livepatch.
 *
 *   node bench/kernel-corpus.ts [--only FILE,...] [--sample N [--seed S]] [--jobs N] [--resume]
 *     [--others-minutes N] [--others-from TABLE] [--no-others] [--no-vm] [--no-timing] [--audit] [--results DIRECTORY]
 */

import { runCorpus } from "./corpus/run.ts";
import { readCorpus } from "./corpus/table.ts";

process.exitCode = await runCorpus(
  {
    name: "kernel-corpus",
    release: "6.1.0-47-cloud-amd64",
    newer: { name: "linux-source-6.1", version: "6.1.176-1" },
    files: () => readCorpus(new URL("corpus/linux-6.1.170-3-to-6.1.176-1.tsv", import.meta.url)),
  },
  process.argv.slice(2),
);
