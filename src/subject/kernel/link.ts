/** From the diffs of a kernel's units to the livepatch. */
import type { LinkResult, Wanted } from "../../builder/subject.ts";
import { isLinked, isPatching, needsSwitch } from "../../diff/selection.ts";
import type { Cache } from "../../lib/cache.ts";
import { linkLivepatch } from "../../link/livepatch.ts";
import type { FateRecord, Note, PatchMetadata } from "../../patch/metadata.ts";
import type { CompileOptions } from "./compile.ts";
import type { KernelUnitDiff } from "./examine-pair.ts";
import { linkTarget } from "./link-target.ts";
import { linkUnit } from "./match/locate.ts";
import { withOriginals } from "./match/running-code.ts";
import type { ShippedObjects } from "./match/shipped-objects.ts";
import { reliedNotes } from "./relied-notes.ts";
import type { SwitchUnit } from "./switch-unit.ts";
import type { Symvers } from "./symvers.ts";
import { transitionNotes, transitionNotesOf } from "./waiting-threads.ts";

interface LinkOptions {
  readonly compile: CompileOptions;
  readonly shipped: ShippedObjects;
  readonly symvers: Symvers;
  readonly cache: Cache;
}

/**
 * Links all diffs to one module. Where any function has no hook, all are switched at
 * one moment, by code that is compiled here. Refusals are those of the linker, and
 * `NO_HOOK`.
 */
export async function linkForKernel(
  diffs: readonly KernelUnitDiff[],
  { name, patchVersion, replace, relied }: Wanted<KernelUnitDiff>,
  options: LinkOptions,
): Promise<LinkResult<PatchMetadata>> {
  const { shipped, symvers, compile } = options;
  const { kernel } = compile;
  const patching = diffs.filter(({ diff }) => isPatching(diff.selection));
  const switching = await switchUnitOf(diffs, patching, options);
  if (switching?.kind === "refused") return { kind: "refused", refusals: [switching.refusal] };
  const target = linkTarget(kernel, shipped.vmlinux, symvers, shipped.layouts);
  const linked = linkLivepatch(
    {
      name,
      patchVersion,
      description: `livepatch for Linux ${kernel.release}`,
      target,
      replace,
      switchUnit: switching?.unit,
      units: diffs
        .filter(({ diff }) => isLinked(diff.selection))
        .map(({ diff, proof, dependencies }) =>
          linkUnit({
            proof,
            selection: diff.selection,
            vmlinux: shipped.vmlinux,
            symvers,
            dependencies,
            beside: diffs.map((each) => each.proof).filter((each) => each.shipped === proof.shipped),
          }),
        ),
    },
    target.imports,
  );
  if (linked.refusals.length > 0) return { kind: "refused", refusals: linked.refusals };
  return {
    kind: "linked",
    write: linked.write,
    metadata: {
      kernel: { release: kernel.release, buildId: kernel.buildId, vermagic: target.vermagic },
      objects: linked.objects.map((object) => ({
        ...object,
        buildId: shipped.buildId(object.name),
        funcs: withOriginals(object.funcs, shipped.running(object.name), shipped.layouts.entrySizes),
      })),
      newFunctions: linked.newFunctions,
      needs: linked.needs,
      proofs: diffs.map(({ proof }) => proof.record),
      notes: [...reliedNotes(relied), ...linked.notes, ...(await waitingNotes(patching, options))],
      fates: diffs.flatMap(({ diff }) => diff.fates).map((each) => redirectedBy(each, switching !== undefined)),
      stays: linked.stays,
    },
  };
}

/** Functions that a transition may wait for without end. */
async function waitingNotes(
  patching: readonly KernelUnitDiff[],
  { shipped, cache }: LinkOptions,
): Promise<readonly Note[]> {
  const inVmlinux = patching.filter(({ proof }) => proof.shipped.object === "vmlinux");
  const names = inVmlinux.flatMap(({ diff: { selection } }) => selection.funcs.map(({ name }) => name));
  const inModules = patching.filter((each) => !inVmlinux.includes(each));
  return [
    ...(await transitionNotes(names, shipped.vmlinux, cache)),
    ...inModules.flatMap(({ diff }) => transitionNotesOf(diff)),
  ];
}

/** Where one function is switched, all are. */
function redirectedBy(fate: FateRecord, isSwitched: boolean): FateRecord {
  return isSwitched && fate.fate === "replaced" ? { ...fate, by: "switch" } : fate;
}

/** Undefined where every function has a hook. */
async function switchUnitOf(
  diffs: readonly KernelUnitDiff[],
  patching: readonly KernelUnitDiff[],
  { compile, shipped, symvers }: LinkOptions,
): Promise<SwitchUnit | undefined> {
  const needing = patching.find(({ diff }) => needsSwitch(diff.selection));
  if (needing === undefined) return undefined;
  const { switchUnit } = await import("./switch-unit.ts");
  const sources = new Set(patching.map(({ unit }) => unit.source));
  const changed = [...new Set(diffs.map(({ unit }) => unit))].filter(({ source }) => sources.has(source));
  const hasSysctls = patching.some(({ diff }) => diff.selection.words.some(({ entry }) => entry !== undefined));
  const switching = { changed, object: needing.proof.shipped.object, hasSysctls };
  return await switchUnit(switching, { ...compile, types: false }, shipped, symvers);
}
