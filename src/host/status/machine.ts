/** The machine at one moment: what is live, what is installed, and what a reboot would bring. */
import { statusOf } from "../../core/status.ts";
import { SutureError } from "../../lib/error.ts";
import { fileBuildId } from "../../process/maps/file-build-id.ts";
import { kernelState } from "../../targets/kernel/look.ts";
import { buildIdsIn, type KnownBuilds } from "../../targets/process/discover.ts";
import { type Overview, patchedProcesses } from "../../targets/process/look.ts";
import { type FixRecord, readFixRecords } from "../catch-up/record.ts";
import type { HostPaths } from "../paths.ts";
import type { HistoryEvent } from "../store/history.ts";
import { type Installed, pathsOf } from "../store/installed.ts";
import { HostStore } from "../store/store.ts";
import { type FixCount, fixCounts } from "./fixes.ts";
import { type InstalledState, stateOfInstalled } from "./installed-state.ts";
import { type LiveLivepatch, liveLivepatches } from "./live.ts";

/** All that `suture status` shows. */
export interface MachineState {
  /** For instance `Linux 6.1.0-1-amd64`. */
  readonly kernel: string;
  /** What is loaded, each livepatch once for the kernel and once for each program; the kernel's come first. */
  readonly live: readonly LiveLivepatch[];
  /** In the order in which a boot loads them; undefined where this user may not know. */
  readonly installed: readonly InstalledLivepatch[] | undefined;
  /** Why what is installed is not known. */
  readonly unknown: SutureError | undefined;
  /** Of what runs as an older version, as far as `catch-up` has looked, and this user may know. */
  readonly fixes: readonly FixCount[];
  /** The last time that a livepatch did harm: it was turned back by the watch over it, or a boot died of it. */
  readonly harm: HistoryEvent | undefined;
  readonly damaged: Overview["damaged"];
  readonly newer: Overview["newer"];
  /** How many processes this user may not look into. */
  readonly hidden: number;
}

/** One that is installed, and what it is worth now. */
export interface InstalledLivepatch {
  readonly installed: Installed;
  readonly state: InstalledState;
}

/** Looks at the kernel and all processes, and stops nothing. Throws nothing but what is a defect. */
export async function machineState(paths: HostPaths): Promise<MachineState> {
  const stored = readStore(paths);
  const onDisk = buildsOnDisk(stored.installed ?? []);
  const records = readFixRecords(paths);
  const ofFixes = records.flatMap((record: FixRecord) => record.buildIds);
  const wanted = new Set([...(stored.installed ?? []).flatMap(buildIdsOf), ...onDisk.values(), ...ofFixes]);
  const running = new Map<string, number[]>();
  const known: KnownBuilds = new Map();
  const overview = patchedProcesses((pid, mappings) => {
    if (wanted.size === 0) return;
    for (const id of new Set(buildIdsIn(pid, mappings, known)))
      if (wanted.has(id)) running.set(id, [...(running.get(id) ?? []), pid]);
  });
  const kernel = await kernelState();
  const live = liveLivepatches(kernel, overview);
  const has = patchesByProcess(overview);
  return {
    kernel: kernel.name,
    live,
    installed: stored.installed?.map((installed) => ({
      installed,
      state: stateOfInstalled(installed, { kernel, running, has, onDisk }),
    })),
    unknown: stored.unknown,
    fixes: fixCounts(records, { kernel, running, has }),
    harm: stored.harm,
    damaged: overview.damaged,
    newer: overview.newer,
    hidden: overview.hidden,
  };
}

interface Stored {
  readonly installed: readonly Installed[] | undefined;
  readonly harm: HistoryEvent | undefined;
  readonly unknown: SutureError | undefined;
}

/** A machine on which nothing can be read of what is installed has a state all the same. */
function readStore(paths: HostPaths): Stored {
  try {
    using store = HostStore.open(paths);
    return { installed: store?.installed() ?? [], harm: store?.last("revert", "leave-out"), unknown: undefined };
  } catch (error) {
    if (!(error instanceof SutureError)) throw error;
    return { installed: undefined, harm: undefined, unknown: error };
  }
}

/** The build-ids of the files that installed livepatches are for, as they are now, by path. */
function buildsOnDisk(installed: readonly Installed[]): ReadonlyMap<string, string> {
  const paths = installed.flatMap(({ target }) => (target.kind === "kernel" ? [] : target.objects.flatMap(pathsOf)));
  const found = [...new Set(paths)].flatMap((path): [string, string][] => {
    const id = fileBuildId(path);
    return id === undefined ? [] : [[path, id]];
  });
  return new Map(found);
}

function buildIdsOf({ target }: Installed): string[] {
  return target.kind === "kernel" ? [] : target.objects.map(({ buildId }) => buildId);
}

/** By pid, the names of patches that are in effect there. */
function patchesByProcess({ processes }: Overview): ReadonlyMap<number, ReadonlySet<string>> {
  return new Map(
    processes.map(({ pid, core }) => {
      const enabled = core.patches.filter((patch) => statusOf(core, patch).enabled);
      return [pid, new Set(enabled.map(({ name }) => name))];
    }),
  );
}
