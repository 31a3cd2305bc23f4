/** A kernel as it was shipped: what originals are proved against, and new code is linked to. */
import type { Checked, Run, ShippedSide } from "../../builder/subject.ts";
import { layoutFindings, untoldTypes, variableRefusals } from "../../builder/type-changes.ts";
import { readUnit } from "../../diff/read-unit.ts";
import { isLinked } from "../../diff/selection.ts";
import { findingsOf } from "../../patch/findings.ts";
import type { PatchMetadata } from "../../patch/metadata.ts";
import type { Refusal } from "../../patch/refusal.ts";
import type { Unit } from "../../provider/kernel/unit.ts";
import type { CompileOptions } from "./compile.ts";
import { examinePair, type KernelUnitDiff } from "./examine-pair.ts";
import { withKeyTests } from "./forms/key-tests.ts";
import { withConstantsRead } from "./forms/runtime-constants.ts";
import { linkForKernel } from "./link.ts";
import { ShippedObjects } from "./match/shipped-objects.ts";
import { compileOriginal } from "./originals.ts";
import { RunningLayouts } from "./running-layouts.ts";
import { openSymvers } from "./symvers.ts";

/** Opens vmlinux and Module.symvers; a module is opened when a unit is part of it. Throws what opening these throws. */
export async function openShippedKernel(
  compile: CompileOptions,
  { cache, progress, signal, watch }: Run,
): Promise<ShippedSide<Unit, KernelUnitDiff, PatchMetadata>> {
  const { kernel } = compile;
  const shipped = await ShippedObjects.open(kernel, signal);
  const symvers = await openSymvers(kernel.symvers);
  const layouts = new RunningLayouts(shipped.vmlinux, cache, watch);
  return {
    readUnit: (file) => readUnit(file, shipped.layouts.entrySizes),
    linkedIn: ({ proof }) => ({
      object: proof.shipped.object,
      whatHas: (name) => (proof.shipped.hasGlobal(name) ? `${proof.shipped.object} has one already` : undefined),
    }),
    async proveAndDiff(pairs, files) {
      const diffs: KernelUnitDiff[] = [];
      const refusals: Refusal[] = [];
      for (const [i, pair] of pairs.entries()) {
        const { unit } = pair;
        const plain = () => compileOriginal(unit, cache, { ...compile, variant: "plain", types: false });
        const examined = await examinePair(pair, { shipped, plain, kernel, watch, signal });
        if ("code" in examined) refusals.push(examined);
        else {
          const options = { unit, files, compile, shipped, symvers };
          diffs.push(...(await withConstantsRead(await withKeyTests(examined, options), options)));
        }
        progress.tick(i + 1, pairs.length);
      }
      return { diffs, findings: findingsOf({ refusals }) };
    },
    async check(pair, own, { view, files }): Promise<Checked> {
      const linked = own.filter(({ diff }) => isLinked(diff.selection));
      if (linked.length === 0) return {};
      const running: Refusal[] = untoldTypes(pair, [".BTF"]);
      for (const { proof } of linked) running.push(...(await layouts.findings(pair, proof.shipped)));
      const ofUnit = linked.map(({ diff }) => diff);
      running.push(...variableRefusals(pair, ofUnit, watch));
      const types = layoutFindings(pair, watch);
      const found = findingsOf({ refusals: running, notes: types.notes });
      if (types.changes.length === 0) return found;
      const { settleStackTypes } = await import("./stack-types/settle-stack-types.ts");
      const settled = await settleStackTypes(types, linked, { unit: pair.unit, view, compile, files });
      return { ...findingsOf(found, settled), atOnce: settled.atOnce };
    },
    async link(diffs, wanted) {
      return await linkForKernel(diffs, wanted, { compile, shipped, symvers, cache });
    },
  };
}
