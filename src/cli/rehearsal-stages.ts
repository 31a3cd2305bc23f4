/** How far a rehearsal is, in each of its boots. */
import type { Picture } from "../lib/progress.ts";
import type { BootKind } from "../rehearse/result.ts";

/** Two boots may go on at once; each has a line. */
export class RehearsalStages {
  readonly #steps = new Map<BootKind, { readonly step: string; readonly number: number }>();

  /** Once more with `boot` at `step`. */
  at(boot: BootKind, step: string): Picture {
    this.#steps.set(boot, { step, number: (this.#steps.get(boot)?.number ?? 0) + 1 });
    const lines = [...this.#steps].map(([kind, { step: what, number }]) => `${kind}, step ${number}: ${what}`);
    return { lines: (columns) => lines.map((line) => line.slice(0, columns - 1)), line: lines.join("; ") };
  }
}
