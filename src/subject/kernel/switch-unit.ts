/** The code that switches all functions of a livepatch at one moment, compiled like a file of the diff. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { INCLUDE } from "../../builder/compile-result.ts";
import { diffUnits } from "../../diff/object-diff.ts";
import { readUnit } from "../../diff/read-unit.ts";
import type { Unit as ObjectUnit } from "../../diff/unit.ts";
import { readElf } from "../../elf/read.ts";
import { temporaryDirectory } from "../../lib/temp.ts";
import type { LinkUnit } from "../../link/input.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import { compiledLike, type Unit } from "../../provider/kernel/unit.ts";
import { layOutView, viewDirectory } from "../../source/tree.ts";
import { type CompileOptions, compileInView } from "./compile.ts";
import { newUnit } from "./match/locate.ts";
import type { ShippedObjects } from "./match/shipped-objects.ts";
import type { Symvers } from "./symvers.ts";

/** Where the code lies in the view of the tree: the object then says nothing of where suture is. */
const SOURCE = "suture-switch.c";

/** `refused`: it does not compile for this kernel, or nobody could read the stack of who calls it. */
export type SwitchUnit =
  | { readonly kind: "compiled"; readonly unit: LinkUnit }
  | { readonly kind: "refused"; readonly refusal: Refusal };

/** What is switched. */
export interface Switching {
  /** Units of the diff: it is compiled like the first one that objtool looks at, without whose tables the stack of who calls the code could not be read. */
  readonly changed: readonly Unit[];
  /** That is patched; what the code needs is vmlinux's, whichever it is. */
  readonly object: string;
  /** Whether words of it are parts of tables of sysctls. */
  readonly hasSysctls: boolean;
}

/** Compiles the code, and says where it finds what it needs. Throws what running the compiler throws. */
export async function switchUnit(
  { changed, object, hasSysctls }: Switching,
  options: Omit<CompileOptions, "variant">,
  shipped: ShippedObjects,
  symvers: Symvers,
): Promise<SwitchUnit> {
  const like = changed.find(({ objtool }) => objtool !== undefined);
  if (like === undefined) {
    const sources = changed.map(({ source }) => source).join(", ");
    return refused(
      `${sources} is compiled in a way that leaves stacks unreadable, and what has no hook cannot be switched`,
    );
  }
  await using views = await viewDirectory();
  await using objects = await temporaryDirectory();
  const text = await readFile(join(INCLUDE, "suture/switch.c"));
  const view = layOutView(options.kernel.source, views.path, [{ path: SOURCE, text }]);
  const args = hasSysctls ? [...like.args, "-DSUTURE_SYSCTL"] : like.args;
  const unit: Unit = { ...compiledLike(like, SOURCE), args };
  const compiled = await compileInView(unit, view, objects.path, { ...options, variant: "sections" });
  if (compiled.kind === "does-not-compile")
    return refused(
      `functions without a hook, and constants in use, cannot be switched in this kernel:\n${compiled.output.trimEnd()}`,
    );
  const patched = readUnit(readElf(await readFile(compiled.object), SOURCE), shipped.layouts.entrySizes);
  const nothing = nothingOf(patched);
  const { selection } = diffUnits(nothing, patched, { isModule: true, needsHook: true });
  return { kind: "compiled", unit: newUnit(selection, object, { vmlinux: shipped.vmlinux, symvers }) };
}

function refused(what: string): SwitchUnit {
  const hint = "leave out the change of what has no hook";
  return { kind: "refused", refusal: refusal("NO_HOOK", what, "suture/switch.c", hint) };
}

/** What there was of the unit before. */
function nothingOf({ arch }: ObjectUnit): ObjectUnit {
  return { name: SOURCE, arch, sections: [], symbols: [], atoms: [], definitions: new Map() };
}
