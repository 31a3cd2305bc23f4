import { EXIT, SutureError } from "../../lib/error.ts";
import { command } from "../command.ts";
import { sinceChoice } from "../since-choice.ts";

/** `suture install`. Each path is read once, and what was read is what is installed. */
export const installCommand = command({
  name: "install",
  summary: "keep livepatches over reboots, restarts and new processes",
  description:
    "A kernel's is loaded at each boot of that kernel, before the network; a program's into the processes that run it, by `suture boot` and the daemon. What has to be signed is in docs/signatures.md; the signature is kept with it. A newer version takes the place of an older one. Nothing is loaded now: `suture load` does that. Installing one again that was left out after a crash has it loaded again. Exit code 2 if one is refused; the others are installed all the same.",
  arguments: [{ name: "LIVEPATCH", kind: "file", many: true, summary: "livepatches, for the kernel or for programs" }],
  options: { older: { kind: "flag", summary: "take an older version of a livepatch than the one that is installed" } },
  async run(given, { signal }) {
    const { runInstall } = await import("../run-installed.ts");
    return await runInstall(given.arguments, { allowOlder: given.options.older, signal });
  },
});

/** `suture uninstall`. Throws `NOT_INSTALLED` where none is installed of that name. */
export const uninstallCommand = command({
  name: "uninstall",
  summary: "keep a livepatch no longer; where it is loaded it stays loaded until it is unloaded",
  arguments: [{ name: "PATCH", kind: "patch", optional: true, summary: "its name, as `suture status` shows it" }],
  options: { all: { kind: "flag", summary: "all that are installed" } },
  async run(given, context) {
    const [name] = given.arguments;
    if ((name === undefined) !== given.options.all) throw usageOfAll("uninstall");
    const { runUninstall } = await import("../run-installed.ts");
    return await runUninstall(name, context);
  },
});

/** `suture log`: what was done, the oldest first. */
export const logCommand = command({
  name: "log",
  summary: "what was done with livepatches on this machine, and what came of it",
  description:
    "Installed and loaded, unloaded, turned back, left out after a crash: with time and reason, the oldest first.",
  arguments: [],
  options: {
    since: {
      kind: "text",
      value: "TIME",
      summary: "from then on: 30m, 12h, 7d ago, or a date as 2026-01-31 or 2026-01-31T12:00:00",
    },
  },
  async run(given) {
    const since = sinceChoice(given.options.since, Date.now());
    const { hostPaths } = await import("../../host/paths.ts");
    const { HostStore } = await import("../../host/store/store.ts");
    const { historyLines } = await import("../installed-report.ts");
    using store = HostStore.open(hostPaths());
    const events = store?.history(since) ?? [];
    return {
      exit: EXIT.done,
      json: { events },
      lines: events.length === 0 ? ["there is no history"] : historyLines(events),
    };
  },
});

function usageOfAll(name: string): SutureError {
  return new SutureError("USAGE", "give the name of a livepatch, or --all", { hint: `suture ${name} --help` });
}
