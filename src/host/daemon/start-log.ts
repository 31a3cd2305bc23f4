/** What new processes got, written down together: one transaction for many, and not one for each. */
import type { VerbResult } from "../../targets/verb-result.ts";
import type { HostPaths } from "../paths.ts";
import type { NewEvent } from "../store/history.ts";
import { HostStore } from "../store/store.ts";

/** From the first one on. */
const COLLECT_MS = 5000;
/** Of processes that are named. */
const MOST_PIDS = 100;

/** Collects until its time is over, or it is disposed of. */
export class StartLog implements Disposable {
  readonly #paths: HostPaths;
  readonly #onError: (error: unknown) => void;
  readonly #events = new Map<string, NewEvent & { readonly pids: number[] }>();
  #timer: NodeJS.Timeout | undefined;

  /** @param onError is given what keeps it from being written */
  constructor(paths: HostPaths, onError: (error: unknown) => void) {
    this.#paths = paths;
    this.#onError = onError;
  }

  /** What was there already is not told. */
  add(patch: string, { pid, name, outcome, problems }: VerbResult): void {
    if (outcome === "unchanged") return;
    const [problem] = problems;
    const key = JSON.stringify([patch, name, outcome, problem?.code]);
    const event = this.#events.get(key) ?? {
      ...{ verb: "start", patch, target: name, outcome, code: problem?.code, why: problem?.what },
      pids: [],
    };
    if (pid !== undefined && event.pids.length < MOST_PIDS) event.pids.push(pid);
    this.#events.set(key, event);
    this.#timer ??= setTimeout(() => this.#write(), COLLECT_MS);
  }

  /** Writes what is left. */
  [Symbol.dispose](): void {
    this.#write();
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const events = [...this.#events.values()];
    this.#events.clear();
    if (events.length === 0) return;
    try {
      using store = HostStore.open(this.#paths);
      store?.record(...events);
    } catch (error) {
      this.#onError(error);
    }
  }
}
