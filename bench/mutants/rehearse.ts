/** Mutants in guests, many to a boot. */
import type { Kernel } from "../../src/provider/kernel/kernel.ts";
import { rehearseMany } from "../../src/rehearse/batch.ts";
import type { RehearsalResult } from "../../src/rehearse/result.ts";
import { type GuestOutcome, livepatchPath, type Mutant } from "./mutant.ts";

/** What a task that sleeps in a patched function costs each time. */
const SECONDS = 10;

export async function rehearseMutants(
  kernel: Kernel,
  mutants: readonly Mutant[],
  directory: string,
  logs: string,
  machines: number,
  onResult: (id: string, outcome: GuestOutcome) => void,
): Promise<void> {
  const ids = new Map(mutants.map(({ id }) => [livepatchPath(directory, id), id] as const));
  const { release, vmlinuz, modules, layouts } = kernel;
  if (vmlinuz === undefined) throw new Error(`${release} has no image that boots`);
  await rehearseMany({ release, image: vmlinuz, modules }, [...ids.keys()], {
    logs,
    layouts,
    machines,
    timeoutSeconds: SECONDS,
    onResult: (path, result) => onResult(ids.get(path) as string, outcomeOf(result)),
  });
}

/** What the kernel prints on the first trace_printk of a boot. */
const BANNER = /^\*\*.*\*\*$|trace_printk\(\) being used/;

/** How a step ends whose transition tasks hold up. */
const HELD = /^the transition does not end: /;

function outcomeOf(result: RehearsalResult): GuestOutcome {
  if (result.kind === "refused") return { kind: "unsafe", wrong: [result.refusal.what] };
  const found = result.findings.filter(({ line }) => !BANNER.test(line));
  const failed = result.steps.filter(({ ok }) => !ok);
  const wrong = [
    ...failed.map(({ boot, name, detail }) => `${boot}: ${name}: ${detail ?? ""}`),
    ...found.map(({ boot, line }) => `${boot}: ${line}`),
  ];
  if (wrong.length === 0) return { kind: "fine", wrong };
  const isHeld =
    found.length === 0 && result.lost === undefined && failed.every(({ detail }) => HELD.test(detail ?? ""));
  return { kind: isHeld ? "held" : "unsafe", wrong };
}
