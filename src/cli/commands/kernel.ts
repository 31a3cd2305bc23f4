import { EXIT } from "../../lib/error.ts";
import { command } from "../command.ts";
import { releaseChoice } from "../kernel-choice.ts";

/**
 * `suture kernel fetch`; --json prints a `KernelSummary` with the seconds that it took.
 * A kernel that is ready already is left as it is.
 */
export const kernelFetchCommand = command({
  name: "kernel fetch",
  summary: "make a kernel ready to build livepatches for: its packages, from Debian's archive, cached",
  arguments: [{ name: "RELEASE", kind: "release", summary: "as uname -r prints it, or `running`" }],
  options: {},
  async run(given, context) {
    const { fetchKernel } = await import("../../subject/kernel/open-kernel.ts");
    const { kernelSummary, sizeOf } = await import("../kernel-summary.ts");
    const [word = ""] = given.arguments;
    const began = performance.now();
    const kernel = await fetchKernel(releaseChoice(word), context);
    const seconds = Math.round(performance.now() - began) / 1000;
    const summary = { ...kernelSummary(kernel, await sizeOf(kernel.directory)), seconds };
    const lines = [`${kernel.release} (${kernel.version}) is ready: ${kernel.directory}`];
    return { exit: EXIT.done, json: { kernel: summary }, lines };
  },
});

/** `suture kernel list`; --json prints `KernelSummary` records. Looks into the cache alone, unless --available is given. */
export const kernelListCommand = command({
  name: "kernel list",
  summary: "the kernels that are ready, their versions, and the disk space they take; or all that can be made so",
  arguments: [],
  options: {
    available: { kind: "flag", summary: "every kernel that Debian's archive has now, of whichever of its releases" },
  },
  async run({ options }, context) {
    const { listKernels } = await import("../../provider/kernel/kernel-store.ts");
    const { kernelSummary, kernelTable, sizeOf } = await import("../kernel-summary.ts");
    const kernels = await Promise.all(
      (await listKernels(context.cache)).map(async (kernel) => kernelSummary(kernel, await sizeOf(kernel.directory))),
    );
    if (!options.available) return { exit: EXIT.done, json: { kernels }, lines: kernelTable(kernels) };
    const { distribution } = await import("../../provider/registry/distributions.ts");
    const { availableJson, availableTable } = await import("../available-kernels.ts");
    const found = await distribution().availableKernels(context);
    const available = availableJson(found, new Set(kernels.map(({ release }) => release)));
    const dropped = found.dropped.map(({ name, why }) => ({ suite: name, why }));
    return { exit: EXIT.done, json: { kernels, available, dropped }, lines: availableTable(available, dropped) };
  },
});

/** `suture kernel remove`. Throws `KERNEL_NOT_READY` where there is none of that release. */
export const kernelRemoveCommand = command({
  name: "kernel remove",
  summary: "remove a kernel that was made ready, and the packages that only it was made from",
  arguments: [{ name: "RELEASE", kind: "release", summary: "as `suture kernel list` prints it, or `running`" }],
  options: {},
  async run(given, context) {
    const { releaseOf, removeKernel } = await import("../../provider/registry/kernels.ts");
    const { SutureError } = await import("../../lib/error.ts");
    const [word = ""] = given.arguments;
    const release = releaseOf(releaseChoice(word));
    if (!(await removeKernel(context.cache, release))) {
      throw new SutureError("KERNEL_NOT_READY", `no kernel ${release} was made ready here`, {
        where: context.cache.directory,
        hint: "suture kernel list",
      });
    }
    return { exit: EXIT.done, json: { removed: release }, lines: [`${release} is removed`] };
  },
});
