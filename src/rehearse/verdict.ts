import type { LivepatchFile } from "../patch/livepatch-file.ts";
import { type GuestRehearsal, loadStep, type TargetModule } from "./guest-rehearsal.ts";
import type { BootKind, Rehearsal, RehearsalFinding, RehearsalStep, RehearsedObject } from "./result.ts";

/** One boot of a guest, and what a livepatch did in it. */
export interface Boot {
  readonly kind: BootKind;
  readonly rehearsal: GuestRehearsal;
  /** Until the guest's first word. */
  readonly seconds: number;
  readonly log: string;
  readonly uptimeContinues: boolean;
}

/** What was tried, and how long it took. */
export interface Rehearsed {
  readonly livepatch: LivepatchFile;
  /** Of the kernel. */
  readonly release: string;
  readonly targets: readonly TargetModule[];
  readonly seconds: number;
}

/** Puts together what the boots of one livepatch have shown. */
export function verdict(boots: readonly Boot[], { livepatch, release, targets, seconds }: Rehearsed): Rehearsal {
  const rehearsals = boots.map(({ rehearsal }) => rehearsal);
  const rehearsalIn = (kind: BootKind): GuestRehearsal | undefined =>
    boots.find((boot) => boot.kind === kind)?.rehearsal;
  const targetsFirst = rehearsalIn("targets first");
  const livepatchFirst = rehearsalIn("livepatch first");
  const steps = rehearsals
    .flatMap((rehearsal) => rehearsal.steps)
    .map((step) => blamed(step, targetsFirst, livepatchFirst));
  const findings = findingsOf(rehearsals);
  const transitions = rehearsals.flatMap((rehearsal) => rehearsal.transitions);
  const patching = transitions.filter(({ direction }) => direction === "patching").map((each) => each.seconds);
  const uptimeContinues = boots.every((boot) => boot.uptimeContinues);
  return {
    kind: "rehearsed",
    livepatch: livepatch.name,
    release,
    ok: findings.length === 0 && uptimeContinues && steps.every(({ ok }) => ok),
    boots: boots.map((boot) => ({ kind: boot.kind, seconds: boot.seconds, log: boot.log })),
    steps,
    transitions,
    transitionSeconds: patching.length === 0 ? undefined : Math.max(...patching),
    objects: objectsOf(targets, targetsFirst, livepatchFirst),
    findings,
    uptimeContinues,
    lost: rehearsals.find((rehearsal) => rehearsal.lost !== undefined)?.lost,
    seconds,
  };
}

/** A module that loads without the livepatch and not with it is the livepatch's failure. */
function blamed(
  step: RehearsalStep,
  targetsFirst: GuestRehearsal | undefined,
  livepatchFirst: GuestRehearsal | undefined,
): RehearsalStep {
  if (step.boot !== "livepatch first") return step;
  const refusedWithIt = [...(livepatchFirst?.targets ?? [])].find(
    ([name, outcome]) => step.name === loadStep(name) && !outcome.loaded && targetsFirst?.targets.get(name)?.loaded,
  );
  return refusedWithIt === undefined ? step : { ...step, ok: false };
}

/** What the same kernel prints for the same modules without the livepatch is not the livepatch's. */
function findingsOf(rehearsals: readonly GuestRehearsal[]): RehearsalFinding[] {
  const ordinary = new Set(rehearsals.flatMap((rehearsal) => [...rehearsal.ordinary]));
  return rehearsals.flatMap((rehearsal) => rehearsal.findings).filter(({ line }) => !ordinary.has(line));
}

/** The objects, as the two rehearsals (undefined where there was none) have seen them. */
function objectsOf(
  targets: readonly TargetModule[],
  targetsFirst: GuestRehearsal | undefined,
  livepatchFirst: GuestRehearsal | undefined,
): RehearsedObject[] {
  const names = new Set(["vmlinux", ...targets.map(({ name }) => name)]);
  const objectsIn = (rehearsal: GuestRehearsal | undefined) => rehearsal?.state?.objects ?? [];
  const patchedIn = (rehearsal: GuestRehearsal | undefined, object: string) =>
    objectsIn(rehearsal).find(({ name }) => name === object)?.patched;
  const seen = new Set([...objectsIn(targetsFirst), ...objectsIn(livepatchFirst)].map(({ name }) => name));
  for (const name of seen) names.add(name);
  if (!seen.has("vmlinux")) names.delete("vmlinux");
  return [...names].map((name) => {
    const outcome = targetsFirst?.targets.get(name) ?? livepatchFirst?.targets.get(name);
    return {
      name,
      targetLoads: name === "vmlinux" || outcome?.loaded === true,
      targetError: outcome?.loaded === false ? outcome.why : undefined,
      patchedBefore: patchedIn(targetsFirst, name),
      patchedAfter: patchedIn(livepatchFirst, name),
    };
  });
}
