/** The system states that a diff declares: struct suture_state of suture/livepatch.h, which the linker reads and does not keep. */
import type { ElfAbi } from "../arch/elf-abi.ts";
import type { Piece } from "../diff/selection.ts";
import type { StateRecord } from "../patch/program-metadata.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import { STATES_SECTION } from "./states.ts";

/** unsigned long id, unsigned int version, padding */
const STATE_SIZE = 16;

/** The states in the order of the pieces. Refusals: `STATE_MALFORMED`, `STATE_TWICE`. */
export function statesOf(
  pieces: readonly Piece[],
  { words }: ElfAbi,
): {
  readonly states: readonly StateRecord[];
  readonly refusals: readonly Refusal[];
} {
  const states: StateRecord[] = [];
  const refusals: Refusal[] = [];
  for (const { atom } of pieces) {
    if (atom.section.name !== STATES_SECTION) continue;
    const id = atom.data.length === STATE_SIZE ? words.size(atom.data, 0) : 0;
    if (!Number.isSafeInteger(id) || id === 0) {
      const what = `${atom.name} is no system state: it has ${atom.data.length} bytes and the id ${id}`;
      refusals.push(refusal("STATE_MALFORMED", what, STATES_SECTION, "declare it with SUTURE_STATE(id, version)"));
    } else if (states.some((each) => each.id === id)) {
      const what = `the system state ${id} is declared more than once`;
      refusals.push(refusal("STATE_TWICE", what, STATES_SECTION, "declare it in one file of the diff"));
    } else states.push({ id, version: words.u32(atom.data, 8) });
  }
  return { states, refusals };
}
