/**
 * Files picked at random from those that differ between two releases of 6.12, as
 * livepatches. The options are those of kernel-corpus.ts; the seed is printed.
 */
import { changedSources } from "./corpus/changed-sources.ts";
import { runCorpus } from "./corpus/run.ts";

process.exitCode = await runCorpus(
  {
    name: "kernel-6.12",
    release: "6.12.107+deb12-cloud-amd64",
    newer: { name: "linux-source-6.12", version: "6.12.117-1~deb12u1" },
    files: changedSources,
    sample: 40,
  },
  process.argv.slice(2),
);
