/**
 * Whether the types that a unit's code is compiled with are those of the object
 * that runs: source, configuration and image have to belong together, or new
 * code finds nothing where it looks.
 */
import { createHash } from "node:crypto";
import { type DifferingType, RunningTypes, typeKeys } from "../../btf/running-types.ts";
import { sharedTypes } from "../../btf/shared-types.ts";
import type { Stopwatch } from "../../builder/stopwatch.ts";
import { type TypedPair, typesOf } from "../../builder/type-changes.ts";
import type { ElfFile } from "../../elf/model.ts";
import type { Cache } from "../../lib/cache.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import type { Shipped } from "./match/shipped.ts";

/** To be raised when the same types are judged otherwise. */
const FORMAT = "4";
const MOST_NAMED = 4;

/** Compares types with those of the running objects, each of which is read once and only where it is asked for. */
export class RunningLayouts {
  readonly #vmlinux: Shipped;
  readonly #cache: Cache;
  readonly #watch: Stopwatch;
  readonly #known = new Map<string, RunningTypes | undefined>();

  /** @param vmlinux the types that a module's continue */
  constructor(vmlinux: Shipped, cache: Cache, watch: Stopwatch) {
    this.#vmlinux = vmlinux;
    this.#cache = cache;
    this.#watch = watch;
  }

  /** Refusals for a unit whose code is used in the object. */
  async findings(pair: TypedPair, running: Shipped): Promise<Refusal[]> {
    const differing = [
      ...(await this.#differingOriginal(pair.originalFile, running)),
      ...this.#differingNew(pair, running),
    ];
    return differing.length === 0 ? [] : [layoutRefusal(differing, pair.unit.source, running.object)];
  }

  /** Of the original, which is compiled once and asked about often. */
  async #differingOriginal(file: ElfFile, running: Shipped): Promise<readonly DifferingType[]> {
    const section = file.sections.find(({ name }) => name === ".BTF");
    if (section === undefined) return [];
    const digest = createHash("sha256").update(section.data).digest();
    const entry = this.#cache.entry("layouts", [
      FORMAT,
      this.#vmlinux.buildId,
      running.object,
      running.buildId,
      digest,
    ]);
    const kept = parsed(await entry.read());
    if (kept !== undefined) return kept;
    const found = this.#watch.time("types", () => this.#differing(file, running, () => true));
    await entry.write(JSON.stringify(found));
    return found;
  }

  /** Of the patched unit, what the original does not use; a type that the diff changes is compared with the original's. */
  #differingNew({ originalFile, patchedFile }: TypedPair, running: Shipped): readonly DifferingType[] {
    return this.#watch.time("types", () => {
      const before = typesOf(originalFile);
      const after = typesOf(patchedFile);
      if (before === undefined || after === undefined) return [];
      const used = typeKeys(after, sharedTypes(before, after));
      const known = used.size === 0 ? used : typeKeys(before);
      const added = new Set([...used].filter((key) => !known.has(key)));
      return added.size === 0 ? [] : this.#differing(patchedFile, running, (key) => added.has(key));
    });
  }

  #differing(file: ElfFile, running: Shipped, wanted: (key: string) => boolean): readonly DifferingType[] {
    const types = typesOf(file);
    return types === undefined ? [] : (this.#typesOf(running)?.differing(types, wanted) ?? []);
  }

  #typesOf(running: Shipped): RunningTypes | undefined {
    if (!this.#known.has(running.object)) {
      const base = this.#vmlinux.types(undefined);
      const btf = running.types(base) ?? base;
      this.#known.set(
        running.object,
        btf === undefined ? undefined : new RunningTypes(btf, running.object !== "vmlinux"),
      );
    }
    return this.#known.get(running.object);
  }
}

/** What was kept; undefined where it is not there, or not what we wrote. */
function parsed(kept: Buffer | undefined): DifferingType[] | undefined {
  if (kept === undefined) return undefined;
  try {
    const list: unknown = JSON.parse(kept.toString());
    return Array.isArray(list) ? (list as DifferingType[]) : undefined;
  } catch {
    return undefined;
  }
}

function layoutRefusal(differing: readonly DifferingType[], source: string, object: string): Refusal {
  const parts = differing.slice(0, MOST_NAMED).map(({ title, detail }) => `${title} (${detail})`);
  const more = differing.length > MOST_NAMED ? [`and ${differing.length - MOST_NAMED} more`] : [];
  return refusal(
    "RUNNING_LAYOUT_DIFFERS",
    `the ${object === "vmlinux" ? "kernel" : `module ${object}`} that runs has other types than the source: ${[...parts, ...more].join("; ")}`,
    source,
    "take the source and the configuration that this kernel was built from; a type that the diff brings has to have a name of its own",
  );
}
