import fc from "fast-check";
import { expect, test } from "vitest";
import { closureOf, greatestSet, type Tried } from "./choose.ts";

/** A made-up series: what each fix is, what it needs, and which two exclude each other. */
interface World {
  readonly kinds: readonly ("good" | "bad" | "nothing")[];
  /** Told: by names that two fixes share. */
  readonly needs: readonly ReadonlySet<number>[];
  /** Found out by building alone. */
  readonly hidden: readonly ReadonlySet<number>[];
  readonly excluding: readonly (readonly [number, number])[];
}

function tryIn(world: World, set: readonly number[]): Tried<string> {
  const bad = set.find((fix) => world.kinds[fix] === "bad");
  if (bad !== undefined) return { kind: "fails", why: `${bad} is bad`, mayLack: false };
  const lacking = set.find((fix) => [...(world.hidden[fix] ?? [])].some((need) => !set.includes(need)));
  if (lacking !== undefined) return { kind: "fails", why: `${lacking} lacks something`, mayLack: true };
  const pair = world.excluding.find(([a, b]) => set.includes(a) && set.includes(b));
  if (pair !== undefined) return { kind: "fails", why: `${pair.join(" excludes ")}`, mayLack: false };
  return set.every((fix) => world.kinds[fix] === "nothing") ? { kind: "nothing" } : { kind: "good" };
}

/** By trying every set that has what its fixes need. */
function most(world: World): number {
  const count = world.kinds.length;
  let best = 0;
  for (let bits = 0; bits < 1 << count; bits++) {
    const set = [...world.kinds.keys()].filter((fix) => (bits & (1 << fix)) !== 0);
    const isClosed = set.every((fix) => [...(world.needs[fix] ?? [])].every((need) => set.includes(need)));
    if (!isClosed || tryIn(world, set).kind === "fails") continue;
    best = Math.max(best, worthOf(world, set));
  }
  return best;
}

/** How many fixes of a set change anything, by themselves or by what they need. */
function worthOf({ kinds, needs }: World, set: readonly number[]): number {
  return set.filter((fix) => [...closureOf(fix, needs)].some((each) => kinds[each] !== "nothing")).length;
}

const COUNT = 8;

const arbitraryKinds = fc.array(fc.constantFrom("good", "good", "good", "nothing", "bad"), {
  minLength: 1,
  maxLength: COUNT,
});

/** Pairs of which each needs an earlier one. */
function earlier(count: number, most: number): fc.Arbitrary<Set<number>[]> {
  const pair = fc
    .tuple(fc.nat(count - 1), fc.nat(count - 1))
    .map(([a, b]) => [Math.max(a, b), Math.min(a, b)] as const);
  return fc.array(pair, { maxLength: most }).map((pairs) => {
    const needs = Array.from({ length: count }, () => new Set<number>());
    for (const [later, before] of pairs) if (later !== before) needs[later]?.add(before);
    return needs;
  });
}

const worlds: fc.Arbitrary<World> = arbitraryKinds.chain((kinds) => {
  const count = kinds.length;
  return fc.record({
    kinds: fc.constant(kinds as World["kinds"]),
    needs: earlier(count, 6),
    hidden: earlier(count, 3),
    excluding: fc.constant([]),
  });
});

const excludingWorlds: fc.Arbitrary<World> = arbitraryKinds.chain((kinds) => {
  const count = kinds.length;
  const pair = fc.tuple(fc.nat(count - 1), fc.nat(count - 1)).filter(([a, b]) => a !== b);
  return fc.record({
    kinds: fc.constant(kinds as World["kinds"]),
    needs: earlier(count, 4),
    hidden: fc.constant(kinds.map(() => new Set<number>())),
    excluding: count < 2 ? fc.constant([]) : fc.array(pair, { maxLength: 2 }),
  });
});

async function chosenIn(world: World) {
  return await greatestSet(world.needs, async (set) => tryIn(world, set));
}

function holds(world: World, set: readonly number[]): void {
  for (const fix of set) for (const need of closureOf(fix, world.needs)) expect(set).toContain(need);
  if (set.length > 0) expect(tryIn(world, set).kind).not.toBe("fails");
}

test("the set is the greatest of all sets that can be built, whatever is needed and told by nothing but building", async () => {
  await fc.assert(
    fc.asyncProperty(worlds, async (world) => {
      const { set, leftOut, nothing } = await chosenIn(world);
      holds(world, set);
      expect(worthOf(world, set)).toBe(most(world));
      // Each fix is told of once, and by its own reason.
      const told = [...new Set([...set, ...leftOut.keys(), ...nothing])].sort((a, b) => a - b);
      expect(told).toEqual([...world.kinds.keys()]);
      for (const fix of leftOut.keys()) expect(set).not.toContain(fix);
    }),
    { numRuns: 400 },
  );
});

test("of fixes that exclude each other the choice with most fixes is taken", async () => {
  await fc.assert(
    fc.asyncProperty(excludingWorlds, async (world) => {
      const { set } = await chosenIn(world);
      holds(world, set);
      expect(worthOf(world, set)).toBe(most(world));
    }),
    { numRuns: 400 },
  );
});

test("of fixes that all can be built as many sets are tried as there are fixes, and one", async () => {
  const world: World = {
    kinds: ["good", "good", "good", "nothing"],
    needs: [new Set(), new Set([0]), new Set(), new Set()],
    hidden: [],
    excluding: [],
  };
  expect(await chosenIn(world)).toEqual({ set: [0, 1, 2], nothing: [3], takenBack: [], leftOut: new Map(), tries: 5 });
});

test("a fix that a later one takes back is nowhere without that one, and of no effect with it", async () => {
  // 1 takes 0 back, 2 is another one.
  const needs = [new Set<number>(), new Set([0]), new Set<number>()];
  const attempt = async (set: readonly number[]): Promise<Tried<string>> => {
    const undone = set.filter((fix) => fix === 2 || (fix === 0 && !set.includes(1)));
    return { kind: undone.length === 0 ? "nothing" : "good" };
  };
  const { set, nothing, takenBack, leftOut } = await greatestSet(needs, attempt);
  expect([set, nothing, takenBack, leftOut.size]).toEqual([[0, 1, 2], [0, 1], [0], 0]);
});

test("where what takes a fix back cannot be had beside the others, that is told", async () => {
  const needs = [new Set<number>(), new Set([0]), new Set<number>()];
  const attempt = async (set: readonly number[]): Promise<Tried<string>> => {
    if (set.includes(1) && set.includes(2)) return { kind: "fails", why: "1 excludes 2", mayLack: false };
    return { kind: set.includes(1) ? "nothing" : "good" };
  };
  const { set, leftOut, takenBack } = await greatestSet(needs, attempt);
  expect([set, takenBack]).toEqual([[0, 2], []]);
  expect([...leftOut]).toEqual([[1, { kind: "conflict", why: "1 excludes 2" }]]);
});

test("a fix that needs one which is left out is told to need it", async () => {
  const world: World = {
    kinds: ["bad", "good", "good"],
    needs: [new Set(), new Set([0]), new Set([1])],
    hidden: [],
    excluding: [],
  };
  const { set, leftOut } = await chosenIn(world);
  expect(set).toEqual([]);
  expect([...leftOut]).toEqual([
    [0, { kind: "fails", why: "0 is bad" }],
    [1, { kind: "needs", other: 0 }],
    [2, { kind: "needs", other: 0 }],
  ]);
});
