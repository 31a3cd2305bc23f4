/**
 * Which fixes of a series go into one livepatch: the greatest set of whole ones that
 * can be built. Nothing is known of a fix here but which others it needs, and what
 * comes of trying a set.
 *
 * Each fix is tried alone first, with what it needs: what it lacks or breaks is then
 * its own. All that can be had are tried together; where that fails they are taken in
 * by halves, in order, so that a few that disturb cost few tries. What failed alone for
 * want of something is tried once more beside all others, since what it needs may have
 * been told by no name. Of some that can each be had and not together, every choice is
 * tried, and the set with most fixes is taken; the earlier one of two that are equal.
 * One that together with what it needs changes nothing, though some of that does by
 * itself, takes these back: it goes with them, and none of them is of any effect.
 */

/** What came of trying a set of fixes, all of them whole. */
export type Tried<Why> =
  | { readonly kind: "good" }
  /** They change nothing of what runs. */
  | { readonly kind: "nothing" }
  /** @property mayLack whether it could be had with more fixes beside it */
  | { readonly kind: "fails"; readonly why: Why; readonly mayLack: boolean };

/** Why a fix is in no set. */
export type LeftOut<Why> =
  | { readonly kind: "fails"; readonly why: Why }
  /** It can be had, and not beside what was chosen. */
  | { readonly kind: "conflict"; readonly why: Why }
  /** It needs one that is left out. */
  | { readonly kind: "needs"; readonly other: number };

/** Fixes by their place in the series, ascending. */
export interface Chosen<Why> {
  /** Closed: what each of them needs is among them. */
  readonly set: readonly number[];
  /**
   * They change nothing of what runs by themselves, and one of the set may need some of them beside it; or what
   * they change is taken back by one of the set.
   */
  readonly nothing: readonly number[];
  /** Of these, those that one of the set takes back. */
  readonly takenBack: readonly number[];
  readonly leftOut: ReadonlyMap<number, LeftOut<Why>>;
  /** How many sets were tried. */
  readonly tries: number;
}

/** Of so many that exclude each other every choice is tried; of more, each by itself alone. */
const MOST_EXCLUDING = 4;

/**
 * @param needs by fix, the others that it needs; what these need need not be said
 * @param attempt tries a set, ascending and closed; it is asked once for each
 */
export async function greatestSet<Why>(
  needs: readonly ReadonlySet<number>[],
  attempt: (set: readonly number[]) => Promise<Tried<Why>>,
): Promise<Chosen<Why>> {
  return await new Search(needs, attempt).run();
}

class Search<Why> {
  readonly #closures: readonly ReadonlySet<number>[];
  readonly #attempt: (set: readonly number[]) => Promise<Tried<Why>>;
  readonly #tried = new Map<string, Tried<Why>>();
  /** By fix, what came of it with what it needs; not there where one of these failed before it. */
  readonly #alone = new Map<number, Tried<Why>>();

  constructor(needs: readonly ReadonlySet<number>[], attempt: (set: readonly number[]) => Promise<Tried<Why>>) {
    this.#closures = needs.map((_, fix) => closureOf(fix, needs));
    this.#attempt = attempt;
  }

  async run(): Promise<Chosen<Why>> {
    for (const fix of this.#closures.keys()) {
      const closure = this.#closure(fix);
      if ([...closure].some((each) => each < fix && this.#fails(each))) continue;
      this.#alone.set(fix, await this.#try(closure));
    }
    const good = this.#fixes((fix) => this.#isGood(fix));
    const wanted = this.#fixes((fix) => this.#isGood(fix) || this.#takesBack(fix));
    let set = await this.#grow(new Set(), wanted);
    for (const excluding of choicesOf(good.filter((fix) => !set.has(fix)))) {
      const start = this.#closed(excluding);
      if ((await this.#try(start)).kind === "fails") continue;
      const other = await this.#grow(
        start,
        wanted.filter((fix) => !start.has(fix)),
      );
      if (this.#worth(other) > this.#worth(set)) set = other;
    }
    const leftOut = await this.#leftOut(set);
    const takenBack = ascending(this.#takenBackIn(set));
    return {
      set: ascending(set),
      nothing: ascending(new Set([...this.#nothing().filter((fix) => !leftOut.has(fix)), ...takenBack])),
      takenBack,
      leftOut,
      tries: this.#tried.size,
    };
  }

  /** All that can be had, and then those that lacked something alone. */
  async #grow(start: ReadonlySet<number>, good: readonly number[]): Promise<ReadonlySet<number>> {
    let set = await this.#taken(start, good);
    for (let before = -1; set.size !== before; ) {
      before = set.size;
      for (const fix of this.#fixes((each) => !set.has(each) && this.#mayBeRescued(each))) {
        set = await this.#taken(set, [fix]);
        // What it lacks may be in one that changes nothing by itself.
        if (!set.has(fix)) set = await this.#taken(set, [...this.#nothing().filter((each) => each < fix), fix], 1);
      }
    }
    return set;
  }

  /** By halves: those that disturb cost as many tries as the series has halves. */
  async #taken(set: ReadonlySet<number>, more: readonly number[], halves = more.length): Promise<ReadonlySet<number>> {
    const all = new Set([...set, ...this.#closed(more)]);
    if (all.size === set.size || (await this.#try(all)).kind !== "fails") return all;
    if (halves < 2) return set;
    const half = more.length >> 1;
    return await this.#taken(await this.#taken(set, more.slice(0, half)), more.slice(half));
  }

  /** It failed for want of something, or one that it needs did; none of them for good. */
  #mayBeRescued(fix: number): boolean {
    return this.#fails(fix) && ![...this.#closure(fix)].some((each) => this.#failsForGood(each));
  }

  /** Alone, with what it needs, or because one of these does. */
  #fails(fix: number): boolean {
    const kind = this.#alone.get(fix)?.kind;
    return kind === undefined || kind === "fails";
  }

  #failsForGood(fix: number): boolean {
    const alone = this.#alone.get(fix);
    return alone?.kind === "fails" && !alone.mayLack;
  }

  #nothing(): number[] {
    return this.#fixes((fix) => this.#alone.get(fix)?.kind === "nothing");
  }

  #isGood(fix: number): boolean {
    return this.#alone.get(fix)?.kind === "good";
  }

  /** Whether it changes nothing with what it needs, and some of that does without it. */
  #takesBack(fix: number): boolean {
    return this.#alone.get(fix)?.kind === "nothing" && [...this.#closure(fix)].some((each) => this.#isGood(each));
  }

  #takenBackIn(set: ReadonlySet<number>): ReadonlySet<number> {
    const taking = [...set].filter((fix) => this.#takesBack(fix));
    return new Set(taking.flatMap((fix) => [...this.#closure(fix)].filter((each) => this.#isGood(each))));
  }

  /** How many fixes of a set change anything. */
  #worth(set: ReadonlySet<number>): number {
    const takenBack = this.#takenBackIn(set);
    return [...set].filter((fix) => this.#alone.get(fix)?.kind !== "nothing" && !takenBack.has(fix)).length;
  }

  async #leftOut(set: ReadonlySet<number>): Promise<ReadonlyMap<number, LeftOut<Why>>> {
    const isTold = (fix: number): boolean => this.#alone.get(fix)?.kind !== "nothing" || this.#takesBack(fix);
    const out = this.#fixes((fix) => !set.has(fix) && isTold(fix));
    const all = new Map<number, LeftOut<Why>>();
    for (const fix of out) {
      const alone = this.#alone.get(fix);
      if (alone?.kind === "fails") all.set(fix, { kind: "fails", why: alone.why });
      if (alone === undefined || alone.kind === "fails") continue;
      const tried = await this.#try(new Set([...set, ...this.#closure(fix)]));
      if (tried.kind === "fails") all.set(fix, { kind: "conflict", why: tried.why });
    }
    // The one that has a reason of its own, however far away it is.
    for (const fix of out) {
      if (all.has(fix)) continue;
      const other = [...this.#closure(fix)].find((each) => all.has(each) && all.get(each)?.kind !== "needs");
      if (other !== undefined) all.set(fix, { kind: "needs", other });
      else {
        const tried = await this.#try(new Set([...set, ...this.#closure(fix)]));
        if (tried.kind === "fails") all.set(fix, { kind: "fails", why: tried.why });
      }
    }
    return all;
  }

  async #try(set: ReadonlySet<number>): Promise<Tried<Why>> {
    const members = ascending(set);
    const key = members.join();
    const known = this.#tried.get(key) ?? (await this.#attempt(members));
    this.#tried.set(key, known);
    return known;
  }

  #closure(fix: number): ReadonlySet<number> {
    return this.#closures[fix] ?? new Set();
  }

  #closed(fixes: readonly number[]): ReadonlySet<number> {
    return new Set(fixes.flatMap((fix) => [...this.#closure(fix)]));
  }

  #fixes(isWanted: (fix: number) => boolean): number[] {
    return [...this.#closures.keys()].filter(isWanted);
  }
}

/** The fix, all that it needs, and what these need. */
export function closureOf(fix: number, needs: readonly ReadonlySet<number>[]): ReadonlySet<number> {
  const all = new Set<number>();
  const waiting = [fix];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (all.has(next)) continue;
    all.add(next);
    waiting.push(...(needs[next] ?? []));
  }
  return all;
}

/** Every choice of some, the smallest first. */
function choicesOf(excluding: readonly number[]): number[][] {
  if (excluding.length > MOST_EXCLUDING) return excluding.map((each) => [each]);
  const choices: number[][] = [[]];
  for (const each of excluding) choices.push(...choices.map((choice) => [...choice, each]));
  return choices.filter(({ length }) => length > 0).toSorted((a, b) => a.length - b.length);
}

function ascending(set: ReadonlySet<number>): number[] {
  return [...set].sort((a, b) => a - b);
}
