/** What bench/own-kernel.ts has found, as Markdown. */
import type { OwnKernelResults, OwnKernelRow } from "../own-kernel.ts";

/** The section of docs/benchmarks.md; nothing where the run has left no results. */
export function ownKernels(found: OwnKernelResults | undefined): string[] {
  if (found === undefined) return [];
  const row = ({ compiler, release, readySeconds, shapes, module, functions }: OwnKernelRow): string => {
    const built = shapes.filter(({ outcome }) => outcome === "built");
    const isClean = (list: readonly string[] | undefined): boolean => list?.length === 0;
    const audited = built.filter(({ findings }) => isClean(findings)).length;
    const rehearsed = built.filter(({ wrong }) => isClean(wrong)).length;
    const refused = shapes
      .filter(({ outcome }) => outcome !== "built")
      .map(({ name, outcome }) => `${name}: ${outcome}`);
    const ofModule =
      module.outcome === "built" && isClean(module.findings) && isClean(module.wrong) ? "all of it" : "not";
    return `| ${compiler} | ${release} | ${readySeconds.toFixed(1)} s | ${shapes.length} | ${built.length} | ${refused.join("; ")} | ${audited} | ${rehearsed} | ${functions.proved}, ${functions.differing} | ${ofModule} |`;
  };
  return [
    "## Kernels of one's own",
    "",
    "`npx node bench/own-kernel.ts`: the smallest kernel that a rehearsal needs, from the source of a stock one, by its own makefile; small changes of as many shapes, each audited, and loaded and unloaded in a virtual machine; and one of a module out of the kernel's tree, with its effect looked for.",
    "",
    "| compiler | kernel | made ready in | shapes | built | refused, as they have to be | audited, nothing found | rehearsed, clean | functions proved, differing | the module: built, audited, rehearsed |",
    "|---|---|---|---|---|---|---|---|---|---|",
    ...found.kernels.map(row),
    "",
  ];
}
