/** The part of docs/benchmarks.md that is about a machine that is kept patched, from what the runs have left. */
import type { KernelLoads } from "./kernel-loads.ts";
import type { Cut, PowerCuts } from "./power-cuts.ts";
import type { KilledCommands } from "./process/killed-commands.ts";

/** What a run has left; undefined where it has not run. */
type ResultsOf = <Results>(name: string) => Results | undefined;

/** All of it. */
export function lasting(resultsOf: ResultsOf): string[] {
  return [
    ...loads(resultsOf("kernel-loads")),
    ...killed(resultsOf("killed-commands")),
    ...cuts(resultsOf("power-cuts")),
  ];
}

function loads(found: KernelLoads | undefined): string[] {
  if (found === undefined) return [];
  const { release, rounds, wrong, findings, grown, work, medianMilliseconds, samples } = found;
  const none = (all: readonly string[]): string => (all.length === 0 ? "none" : all.join("; "));
  const rows = samples.map((each) => [
    ...[each.round, `${each.slabKB} kB`, `${Math.round(each.vmallocKB)} kB`, `${each.freeKB} kB`],
    ...[each.modules, each.hooked, each.files, each.own],
  ]);
  return [
    "## Loads, replaces and unloads in a row",
    "",
    `\`npx node bench/kernel-loads.ts\`: ${rounds} times a livepatch of functions on the way of every fork, write and send is loaded into ${release}, replaced and unloaded, in a Debian system (one emulated processor) that does ${work["files"]} rounds of files, ${work["network"]} of connections and ${work["forks"]} of forks meanwhile. Median ${medianMilliseconds["load"]} ms a load, ${medianMilliseconds["replace"]} ms a replace, ${medianMilliseconds["unload"]} ms an unload, the proof against the kernel's memory with it.`,
    "",
    `Not done as it was told to be: ${none(wrong)}. In the kernel's log beside the notices of patching: ${none(findings)}. Grown with each round (modules, functions that ftrace has hold of, areas of vmalloc, files of the process that loads, objects of any slab cache): ${none(grown)}.`,
    "",
    ...table(["after", "slab", "vmalloc", "free", "modules", "hooked", "files open", "of the process"], rows),
  ];
}

function killed(found: KilledCommands | undefined): string[] {
  if (found === undefined) return [];
  const { kills, late, found: seen, wrong } = found;
  const rows = Object.entries(seen)
    .sort()
    .map(([name, states]) => [
      name,
      Object.entries(states)
        .sort(([, a], [, b]) => b - a)
        .map(([state, times]) => `${times} × ${state}`)
        .join("; "),
    ]);
  return [
    "## Commands and the daemon killed",
    "",
    `\`npx node bench/process/killed-commands.ts\`: a command, or the daemon while it carries one out, is killed (SIGKILL) at ${kills} random moments (${late} of them after its end). Each time the program, of 9 threads, goes on and answers what its state says; the database is whole and has the files that it speaks of; the next command goes on with a transition, or back. Not so: ${wrong.length} times.`,
    "",
    ...table(["killed while", "what was found"], rows),
  ];
}

function cuts(found: PowerCuts | undefined): string[] {
  if (found === undefined) return [];
  const { release, cuts: all, wrong } = found;
  const row = (during: Cut["during"]): readonly (string | number)[] => {
    const own = all.filter((each) => each.during === during);
    const states = [...new Set(own.map((each) => each.found))].map(
      (state) => `${own.filter((each) => each.found === state).length} × ${state}`,
    );
    return [during, own.length, states.join("; ")];
  };
  const said = all.reduce((sum, each) => sum + (each.said ?? 0), 0);
  return [
    "## Power cuts",
    "",
    `\`npx node bench/power-cuts.ts\`: a Debian system with ${release} whose machine is killed at ${all.length} random moments, while livepatches are installed and uninstalled in turns (${said} changes that were said to be done), while what is installed is loaded by the boot's unit, and while the machine boots. Of the disk, what was not flushed is lost where it had been written for the first time. At the next start the database is whole (\`PRAGMA integrity_check\`), has the files that it speaks of, tells of each change that was said to be done, and at most of one more; a livepatch whose load had begun is marked, and left out by the next boot, and no other is. The disk is looked at with e2fsck and debugfs; after each cut of a whole boot the machine was started again as well. Not so: ${wrong} times.`,
    "",
    ...table(
      ["cut during", "times", "found at the next start"],
      [row("install and uninstall"), row("load at boot"), row("boot")],
    ),
  ];
}

function table(heads: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(" | ")} |`;
  return [line(heads), line(heads.map(() => "---")), ...rows.map(line), ""];
}
