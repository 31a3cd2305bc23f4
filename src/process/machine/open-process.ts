/** A process that a verb changes: attached, what was left behind in it cleared away, its new code known to the unwinder. */
import { Core } from "../../core/core.ts";
import type { CodeRange, Obstacle } from "../../core/machine.ts";
import type { PatchedProcess } from "../loader/patched-process.ts";
import { isOurs, keepPart, registerPart, removePart } from "../loader/placing.ts";
import { takeBackFromUnwinder } from "../loader/tell-unwinder.ts";
import type { ProcessView } from "../maps/process-view.ts";
import { mappingsOf, readMappings } from "../os/mappings.ts";
import type { ImageStore } from "../stack/images.ts";
import { asJson, type LoadRecord, readLoadRecord } from "../store/load-record.ts";
import { ProcessMachine } from "./process-machine.ts";
import { objectOf, unmappedObjects } from "./unmapped.ts";
import { warmUp } from "./warm-up.ts";

const STILL_TOLD =
  "no thread could have the program's unwinder forget the code: all are inside it, or in the allocator";

/** Attached from its construction until it is disposed of; the process runs on in between but for its stops. */
export class OpenProcess implements Disposable {
  readonly process: PatchedProcess;
  readonly core: Core;
  readonly #view: ProcessView;
  #record: LoadRecord;

  /**
   * @param view how the process looks now
   *
   * Throws what `ProcessMachine.attach` throws, `RECORD_UNREADABLE` and `CORE_RECORD_CORRUPT`.
   */
  constructor(view: ProcessView, images: ImageStore) {
    this.#view = view;
    const { pid } = view;
    const where = `process ${pid}`;
    const unmapped = unmappedObjects(view, where);
    warmUp();
    this.process = ProcessMachine.attach(pid, images, (site) => !unmapped.has(objectOf(site)));
    try {
      this.#record = readLoadRecord(this.process.targetPart(), where);
      const { patches, kept = [] } = this.#record;
      const placed = [...patches, ...kept];
      const mappings = placed.length === 0 ? [] : readMappings(pid);
      for (const { name, objects } of placed)
        for (const part of objects) if (isOurs(part.executable, mappings, true)) registerPart(this.process, name, part);
      this.core = Core.open(this.process);
      for (const object of unmapped) this.core.objectGone(object);
      this.clear();
    } catch (error) {
      this.process[Symbol.dispose]();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.process[Symbol.dispose]();
  }

  get record(): LoadRecord {
    return this.#record;
  }

  /** What was placed last, by whoever placed it. */
  placed(record: LoadRecord): void {
    this.#record = record;
  }

  /**
   * Takes out what was placed and is not loaded: the core does not have it, or not
   * any more. What a task still runs in stays, and is tried again by the next
   * command; the tasks are the answer. What the program may keep addresses of stays mapped.
   *
   * @param unused where code starts of which nothing has run
   */
  clear(unused: ReadonlySet<number> = new Set()): readonly Obstacle[] {
    // What was about to be placed is in the process's own record first.
    this.#record = readLoadRecord(this.process.targetPart(), `process ${this.process.pid}`);
    const inTheWay: Obstacle[] = [];
    for (const patch of this.#record.patches) {
      const loaded = this.core.patches.find(({ name }) => name === patch.name)?.objects ?? [];
      for (const part of patch.objects) {
        if (loaded.includes(part.name)) continue;
        const mappings = mappingsOf(this.process.pid);
        if (patch.stays === true && !unused.has(part.executable.start) && isOurs(part.executable, mappings, true)) {
          this.#record = keepPart(this.process, this.#record, patch, part);
          continue;
        }
        const isThere = isOurs(part.executable, mappings, true);
        const tasks = isThere ? this.process.tasksIn([part.executable]) : [];
        if (tasks.length > 0) inTheWay.push(...tasks);
        else if (isThere && !takeBackFromUnwinder(this.process, part, this.#view))
          inTheWay.push({ task: this.process.pid, why: STILL_TOLD });
        else this.#record = removePart(this.process, this.#record, { patch, part }, mappings);
      }
    }
    this.#forgetEmpty();
    const isLast = this.#record.patches.length === 0 && (this.#record.kept ?? []).length === 0;
    if (isLast && this.core.patches.length === 0) inTheWay.push(...this.#leave());
    return inTheWay;
  }

  /** A patch without parts is one that the core has, or is forgotten. */
  #forgetEmpty(): void {
    const isKnown = (name: string): boolean => this.core.patches.some((patch) => patch.name === name);
    const patches = this.#record.patches.filter(({ name, objects }) => objects.length > 0 || isKnown(name));
    if (patches.length === this.#record.patches.length) return;
    this.#record = { ...this.#record, patches };
    this.process.saveTargetPart(asJson(this.#record));
  }

  /** Takes out the last that reminds of us. */
  #leave(): readonly Obstacle[] {
    if (!this.process.hasControl) return [];
    const { shadows } = this.#record;
    if (shadows !== undefined) this.#unmapShadows(shadows);
    const obstacle = this.process.dropControl();
    return obstacle === undefined ? [] : [obstacle];
  }

  #unmapShadows(shadows: CodeRange): void {
    if (isOurs(shadows, mappingsOf(this.process.pid), false)) this.process.unmap(shadows);
    const { shadows: _, ...rest } = this.#record;
    this.#record = rest;
  }
}
