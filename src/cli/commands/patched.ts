import { EXIT, problemOf, SutureError } from "../../lib/error.ts";
import type { NewerState, Overview, PatchedState } from "../../targets/process/look.ts";
import { command } from "../command.ts";
import { patchedChoice, patchedOptions } from "../target-choice.ts";

/**
 * `suture list`; exit code 1 where a process has something that cannot be read, and the
 * others are listed all the same.
 */
export const listCommand = command({
  name: "list",
  summary: "list the livepatches that the running kernel and running programs have",
  description:
    "Looks through the kernel's sysfs, and through all processes by what is in their memory; nothing is stopped.",
  arguments: [],
  options: {},
  async run() {
    const { patchedProcesses } = await import("../../targets/process/look.ts");
    const { kernelState } = await import("../../targets/kernel/look.ts");
    const { listJson, listLines } = await import("../patched-report.ts");
    const seen = { kernel: await kernelState(), ...patchedProcesses() };
    const problems = seen.damaged.map(({ error }) => problemOf(error));
    const exit = problems.length === 0 ? EXIT.done : EXIT.environment;
    return { exit, json: listJson(seen), lines: listLines(seen), problems };
  },
});

/** `suture info`. Throws `NO_SUCH_PATCH` where nothing that was chosen has a patch of that name. */
export const infoCommand = command({
  name: "info",
  summary: "say what a livepatch does where it is loaded",
  arguments: [{ name: "PATCH", kind: "patch", summary: "its name, as `suture list` shows it" }],
  options: patchedOptions,
  async run(given) {
    const [name = ""] = given.arguments;
    const choice = patchedChoice(given.options, "info");
    const { patchedProcesses, stateIn } = await import("../../targets/process/look.ts");
    const { kernelState } = await import("../../targets/kernel/look.ts");
    const { hasPatch, infoLines, newerJson, newerLines, patchesJson } = await import("../patched-report.ts");
    const { kernelInfoLines, kernelPatchJson } = await import("../kernel-report.ts");
    const states =
      choice.kind === "kernel"
        ? []
        : choice.kind === "pids"
          ? choice.pids.map((pid) => stateIn(pid)).filter((state) => state !== undefined)
          : allOf(patchedProcesses());
    const having = states.filter((state) => "core" in state).filter((state) => hasPatch(state, name));
    const newer = states.filter((state) => "newer" in state).filter((state) => state.newer.names.includes(name));
    const kernel = await kernelState();
    const isWanted = choice.kind === "any" || choice.kind === "kernel";
    const inKernel = isWanted ? kernel.patches.filter((patch) => patch.name === name) : [];
    if (having.length + newer.length + inKernel.length === 0)
      throw new SutureError("NO_SUCH_PATCH", `there is no livepatch called ${name} there`, {
        hint: "see: suture list",
      });
    return {
      exit: EXIT.done,
      json: {
        kernel: { name: kernel.name, patches: inKernel.map(kernelPatchJson) },
        processes: having.map((state) => ({ pid: state.pid, name: state.name, patches: patchesJson(state) })),
        newer: newer.map(newerJson),
      },
      lines: [
        ...inKernel.flatMap((patch) => kernelInfoLines(kernel.name, patch)),
        ...having.flatMap((state) => infoLines(state, name)),
        ...newer.flatMap((state) => newerLines(state, name)),
      ],
    };
  },
});

function allOf({ processes, newer }: Overview): (PatchedState | NewerState)[] {
  return [...processes, ...newer];
}
