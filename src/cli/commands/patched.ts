import { EXIT, SutureError } from "../../lib/error.ts";
import { command } from "../command.ts";
import { patchedChoice, patchedOptions } from "../process-choice.ts";

export const listCommand = command({
  name: "list",
  summary: "list the livepatches that running programs have",
  description: "Looks through all processes, by what is in their memory; nothing is stopped.",
  arguments: [],
  options: {},
  async run() {
    const { patchedProcesses } = await import("../../targets/process/look.ts");
    const { listJson, listLines } = await import("../patched-report.ts");
    const overview = patchedProcesses();
    const problems = overview.damaged.map(({ error }) => ({
      code: error.code,
      what: error.message,
      where: error.where,
      hint: error.hint,
    }));
    const exit = problems.length === 0 ? EXIT.done : EXIT.environment;
    return { exit, json: listJson(overview), lines: listLines(overview), problems };
  },
});

export const infoCommand = command({
  name: "info",
  summary: "say what a livepatch does in the running programs that have it",
  arguments: [{ name: "PATCH", kind: "text", summary: "its name, as `suture list` shows it" }],
  options: patchedOptions,
  async run(given) {
    const [name = ""] = given.arguments;
    const choice = patchedChoice(given.options, "info");
    const { patchedProcesses, patchedState } = await import("../../targets/process/look.ts");
    const { hasPatch, infoLines, patchesJson } = await import("../patched-report.ts");
    const states =
      choice.kind === "all"
        ? patchedProcesses().processes
        : choice.pids.map((pid) => patchedState(pid)).filter((state) => state !== undefined);
    const having = states.filter((state) => hasPatch(state, name));
    if (having.length === 0) {
      throw new SutureError("NO_SUCH_PATCH", `no process has a livepatch called ${name}`, { hint: "see: suture list" });
    }
    return {
      exit: EXIT.done,
      json: { processes: having.map((state) => ({ pid: state.pid, name: state.name, patches: patchesJson(state) })) },
      lines: having.flatMap((state) => infoLines(state, name)),
    };
  },
});
