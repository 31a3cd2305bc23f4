/** The machine's state as metrics, in the text format of Prometheus. */
import { Gauge, Registry } from "prom-client";
import type { MachineState } from "../status/machine.ts";
import { describeTarget } from "../store/installed.ts";

/** The content type of what `metricsText` makes. */
export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** One look is one set of values: a label that is gone is in it no more. */
export async function metricsText({ live, installed, harm, newer, damaged, hidden }: MachineState): Promise<string> {
  const registry = new Registry();
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []): Gauge<Label> =>
    new Gauge({ name: `suture_${name}`, help, labelNames, registers: [registry] });

  const loaded = gauge("livepatch", "1 for a livepatch that is loaded, by where and in which state.", [
    ...(["name", "where", "kind", "state"] as const),
  ]);
  const processes = gauge("livepatch_processes", "Processes that have a livepatch.", ["name", "where", "state"]);
  const behind = gauge("livepatch_tasks_behind", "Tasks of the kernel that hold up a transition.", ["name"]);
  for (const { name, where, isKernel, state, pids, holders } of live) {
    loaded.inc({ name, where, kind: isKernel ? "kernel" : "program", state });
    if (isKernel) behind.set({ name }, holders.length);
    else processes.inc({ name, where, state }, pids.length);
  }
  if (installed !== undefined) {
    const kept = gauge("installed", "1 for a livepatch that is installed, by what it is worth now.", [
      ...(["name", "for", "state"] as const),
    ]);
    for (const { installed: each, state } of installed)
      kept.inc({ name: each.name, for: describeTarget(each.target), state: state.kind });
  }
  gauge("processes_damaged", "Processes in which what suture keeps cannot be read.").set(damaged.length);
  gauge("processes_newer", "Processes that a newer suture has patched.").set(newer.length);
  gauge("processes_hidden", "Processes that could not be looked into.").set(hidden);
  gauge("last_harm_timestamp_seconds", "When a livepatch last did harm and was taken away; 0 for never.").set(
    harm === undefined ? 0 : harm.at / 1000,
  );
  return await registry.metrics();
}
