/** What is loaded in the running kernel, as lines. */
import type { KernelPatch } from "../targets/kernel/look.ts";
import type { Json } from "./documents.ts";

/** In a few words, for instance `enabled`. */
export function kernelStateOf({ state, stays, under }: KernelPatch): string {
  const [top] = under.slice(-1);
  if (state === "enabled" && top !== undefined) return `enabled, below ${top.patch}`;
  if (state === "enabling" || state === "disabling") return `${state}: some tasks have not switched`;
  return stays ? "disabled, its memory stays" : state;
}

/** All about one patch. */
export function kernelInfoLines(kernel: string, patch: KernelPatch): string[] {
  const { name, objects, holders, size } = patch;
  return [
    `${name} in ${kernel}: ${kernelStateOf(patch)}`,
    ...(size === undefined ? [] : [`  ${size >> 10} KiB of memory`]),
    ...objects.flatMap((object) => [
      `  ${object.name}${object.patched === false ? ": not loaded" : ""}`,
      ...object.funcs.map(
        (func) => `    ${func.name}${func.sympos === 0 ? "" : `, number ${func.sympos} of that name`}`,
      ),
    ]),
    ...patch.under.map((over) => `  ${over.patch} lies on top, and its version runs of: ${over.funcs.join(", ")}`),
    ...holders.flatMap(({ name: task, tid, why, help }) => [`  ${task} (${tid}): ${why}`, `    ${help}`]),
  ];
}

/** What --json prints of the same. */
export function kernelPatchJson({
  name,
  state,
  stays,
  size,
  objects,
  holders,
  under,
}: KernelPatch): Json<"info">["kernel"]["patches"][number] {
  return { name, state, stays, size, objects, holders, under };
}
