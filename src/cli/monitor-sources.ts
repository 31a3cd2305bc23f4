/** What the monitor shows, in the documents' own shapes. */
import type { Explained, MonitorSources } from "../host/monitor/server.ts";
import { hostPaths } from "../host/paths.ts";
import { machineState } from "../host/status/machine.ts";
import { HostStore } from "../host/store/store.ts";
import { SutureError } from "../lib/error.ts";
import type { PatchMetadata } from "../patch/metadata.ts";
import type { ProgramMetadata } from "../patch/program-metadata.ts";
import { readLoadable } from "../targets/loadable.ts";
import { explanation, fateLines, programExplanation } from "./explanation.ts";
import { statusJson } from "./status-report.ts";

/** @param mostEvents of the history */
export function monitorSources(mostEvents: number): MonitorSources {
  const paths = hostPaths();
  return {
    async look() {
      const machine = await machineState(paths);
      return { machine, document: statusJson(machine) };
    },
    async history() {
      using store = readable(paths);
      return store?.newest(mostEvents) ?? [];
    },
    async explain(digest) {
      using store = readable(paths);
      const installed = store?.installed().find((each) => each.digest === digest);
      if (store === undefined || installed === undefined) return undefined;
      return explained(store.files.read(digest), installed.name);
    },
  };
}

/** undefined where there is nothing, or nothing that this user may know. */
function readable(paths: ReturnType<typeof hostPaths>): HostStore | undefined {
  try {
    return HostStore.open(paths);
  } catch (error) {
    if (error instanceof SutureError && error.code === "NOT_PERMITTED") return undefined;
    throw error;
  }
}

function explained(data: Buffer, name: string): Explained {
  const { kind, livepatch } = readLoadable(data, name);
  if (kind === "program") return withDiffs(livepatch.metadata, programExplanation(livepatch.metadata));
  const { metadata } = livepatch;
  if (metadata !== undefined) return withDiffs(metadata, explanation(metadata));
  return { lines: [name, "another tool has made it, and it says nothing of itself"], diffs: [] };
}

function withDiffs(metadata: PatchMetadata | ProgramMetadata, lines: readonly string[]): Explained {
  return { lines: [...lines, ...fateLines(metadata)], diffs: metadata.diffs ?? [] };
}
