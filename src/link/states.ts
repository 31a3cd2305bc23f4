/** The system states that a diff declares by suture/livepatch.h, each a struct klp_state in a section of its own kind. */
import type { KernelLayouts } from "../btf/kernel-layouts.ts";
import type { Piece } from "../diff/selection.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import type { FieldTarget, Image } from "./image.ts";
import { layoutOf, offsetIn } from "./klp.ts";

/** In the livepatch as in the diff's objects: the array that klp_patch.states points to. */
export const STATES_SECTION = ".suture.states";

/** Ends the array by a state with the id 0; undefined where there is none. To be called when all pieces are placed. */
export function endStates(image: Image, layouts: KernelLayouts): FieldTarget | undefined {
  const section = image.sections.get(STATES_SECTION);
  if (section === undefined) return undefined;
  const { size } = layoutOf(layouts, "klp_state");
  section.append(Buffer.alloc(size), size, 1);
  return { kind: "section", section, offset: 0 };
}

/** @param pieces of all units, in the order in which they are placed */
export function stateRefusals(pieces: readonly Piece[], layouts: KernelLayouts): Refusal[] {
  const refusals: Refusal[] = [];
  const seen = new Set<bigint>();
  for (const { atom } of pieces) {
    if (atom.section.name !== STATES_SECTION) continue;
    const layout = layoutOf(layouts, "klp_state");
    if (atom.end - atom.start !== layout.size) {
      const what = `${atom.name} is no struct klp_state: it has ${atom.end - atom.start} bytes, not ${layout.size}`;
      refusals.push(refusal("STATE_MALFORMED", what, STATES_SECTION, "declare it with SUTURE_STATE(id, version)"));
      continue;
    }
    const id = atom.section.arch.elf.words.u64(atom.data, offsetIn(layout, "klp_state", "id"));
    if (seen.has(id)) {
      const what = `the system state ${id} is declared more than once`;
      refusals.push(refusal("STATE_TWICE", what, STATES_SECTION, "declare it in one file of the diff"));
    }
    seen.add(id);
  }
  return refusals;
}
