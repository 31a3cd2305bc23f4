import type { CommonMetadata } from "./metadata.ts";

/** As the metadata of a livepatch is written: what it is first, then what it has. */
const ORDER = [
  "version",
  "kind",
  "name",
  "patchVersion",
  "tool",
  "kernel",
  "replace",
  "program",
  "objects",
  "newFunctions",
  "needs",
  "proofs",
  "notes",
  "leftOut",
  "fates",
  "stays",
  "states",
  "diffs",
];

/** The same, so that its JSON has what it says in the order in which every livepatch says it. */
export function inOrder<Metadata extends CommonMetadata>(metadata: object): Metadata {
  const entries = Object.entries(metadata).toSorted(([a], [b]) => ORDER.indexOf(a) - ORDER.indexOf(b));
  return Object.fromEntries(entries) as unknown as Metadata;
}
