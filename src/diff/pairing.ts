/** Which atom of the patched unit is which of the original's. */
import type { Atom, Unit } from "./unit.ts";

/** Both ways: the patched unit's atoms by the original's, and the original's by the patched one's. */
export interface Pairing {
  readonly originalOf: Map<Atom, Atom>;
  readonly patchedOf: Map<Atom, Atom>;
}

/** Two units, and which of their atoms stand for one another. */
export interface PairedUnits {
  readonly original: Unit;
  readonly patched: Unit;
  readonly pairing: Pairing;
}
