/** The types of a running object by name, for those of a unit to be compared with. */
import { describeRunning } from "./describe-running.ts";
import { heldValue, layoutComparer } from "./same-layout.ts";
import type { Btf, BtfEnum, BtfType, TypeId } from "./types.ts";

/** A type of a unit that the running object has under the same name, and lays out otherwise. */
export interface DifferingType {
  /** `struct task_struct`, or `the enumerator NAME` of an enum without a name. */
  readonly title: string;
  /** What differs, as the end of a sentence. */
  readonly detail: string;
}

/** Which of a unit's types are compared: by the key that `typeKeys` gives it. */
export type Wanted = (key: string) => boolean;

/** Made once for each running object: the index of its names serves all units. */
export class RunningTypes {
  readonly #btf: Btf;
  readonly #byKey = new Map<string, TypeId[]>();
  /** Of enums without a name: what each enumerator holds, wherever it is. */
  readonly #enumerators = new Map<string, Set<bigint>>();

  /** Up to here, enums without a name are not those of the object. */
  readonly #ofOthers: number;

  /**
   * @param btf vmlinux's, or a module's, which continues that
   * @param isModule of an enum without a name the headers give a module other values than vmlinux
   *   (`#ifdef MODULE`), and its own alone tell what they are: of vmlinux's none counts
   */
  constructor(btf: Btf, isModule = false) {
    this.#btf = btf;
    this.#ofOthers = isModule ? (btf.base ?? btf).count : 0;
    for (let i = 1; i < btf.count; i++) this.#add(i as TypeId);
  }

  #add(id: TypeId): void {
    if (!isCompared(this.#btf, id)) return;
    const type = this.#btf.type(id);
    if (type.kind === "enum" && type.name === "") {
      if (id < this.#ofOthers) return;
      for (const { name, value } of type.values) {
        const known = this.#enumerators.get(name);
        if (known === undefined) this.#enumerators.set(name, new Set([heldValue(value)]));
        else known.add(heldValue(value));
      }
      return;
    }
    const key = keyOf(type);
    if (key === undefined) return;
    const known = this.#byKey.get(key);
    if (known === undefined) this.#byKey.set(key, [id]);
    else known.push(id);
  }

  /**
   * The types of a unit that differ from every one of their name here. One that
   * is not here at all is used by nothing that runs. Throws `BTF_CORRUPT`.
   */
  differing(unit: Btf, wanted: Wanted = () => true): DifferingType[] {
    const compare = layoutComparer(unit, this.#btf);
    const found: DifferingType[] = [];
    const isSame = (type: BtfType, running: BtfType): boolean => {
      if (type.kind === "typedef" && running.kind === "typedef") return compare.types(type.target, running.target);
      if (type.kind === "enum" && running.kind === "enum") return compare.enums(type, running);
      const isComposite = type.kind === "struct" || type.kind === "union";
      const isOther = running.kind === "struct" || running.kind === "union";
      return isComposite && isOther && compare.composites(type, running);
    };
    for (let i = unit.base?.count ?? 1; i < unit.count; i++) {
      const id = i as TypeId;
      if (!isCompared(unit, id)) continue;
      const type = unit.type(id);
      if (type.kind === "enum" && type.name === "") {
        found.push(...this.#differingEnumerators(type, wanted));
        continue;
      }
      const key = keyOf(type);
      if (key === undefined || !wanted(key)) continue;
      const candidates = this.#byKey.get(key) ?? [];
      if (candidates.length === 0 || candidates.some((other) => isSame(type, this.#btf.type(other)))) continue;
      found.push({ title: key, detail: describeRunning(unit, id, this.#btf, candidates[0] as TypeId) });
    }
    return found;
  }

  #differingEnumerators({ values }: BtfEnum, wanted: Wanted): DifferingType[] {
    return values.flatMap(({ name, value }) => {
      const title = enumeratorKey(name);
      const known = this.#enumerators.get(name);
      if (!wanted(title) || known === undefined || known.has(heldValue(value))) return [];
      return [{ title, detail: `${[...known].join(" or ")} there, ${heldValue(value)} in the source` }];
    });
  }
}

/** The keys of a unit's types that are compared. @param from the first id that is looked at */
export function typeKeys(unit: Btf, from: number = unit.base?.count ?? 1): Set<string> {
  const keys = new Set<string>();
  for (let i = from; i < unit.count; i++) {
    if (!isCompared(unit, i as TypeId)) continue;
    const type = unit.type(i);
    const key = keyOf(type);
    if (key !== undefined) keys.add(key);
    else if (type.kind === "enum") for (const { name } of type.values) keys.add(enumeratorKey(name));
  }
  return keys;
}

function isCompared(btf: Btf, id: TypeId): boolean {
  const kind = btf.kind(id);
  if (kind === "enum") return !isOnlyDeclared(btf.type(id));
  return kind === "struct" || kind === "union" || kind === "typedef";
}

/** `enum e;`, of which gcc 16 writes an enum of no size: who uses no more of it has no layout of it. */
function isOnlyDeclared(type: BtfType): boolean {
  return type.kind === "enum" && type.size === 0 && type.values.length === 0;
}

/** As C names it; undefined for a type without a name. */
function keyOf({ kind, name }: BtfType): string | undefined {
  if (name === "") return undefined;
  return kind === "typedef" ? name : `${kind} ${name}`;
}

function enumeratorKey(name: string): string {
  return `the enumerator ${name}`;
}
