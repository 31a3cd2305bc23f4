import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { isLong } from "../../../test/long.ts";
import type { VerbResult } from "../../targets/verb-result.ts";
import { install } from "../store/install.ts";
import { ANYTHING, livepatchModule } from "../store/livepatch-module.fixture.ts";
import { HostStore } from "../store/store.ts";
import { judgeBoots } from "./judge.ts";
import { type BootTargets, loadInstalled } from "./load-installed.ts";

const RELEASE = "6.1.0-1-amd64";

class Crash extends Error {}

/** What the livepatch of that name does to the machine. */
type Nature = "good" | "refused" | "dies-loading" | "dies-later";

/** A machine with livepatches, which boots again and again. */
class Machine implements Disposable {
  readonly state: string = mkdtempSync(join(tmpdir(), "suture-boot-"));
  readonly natures: ReadonlyMap<string, Nature>;
  #boots = 0;

  constructor(natures: Readonly<Record<string, Nature>>) {
    this.natures = new Map(Object.entries(natures));
  }

  [Symbol.dispose](): void {
    rmSync(this.state, { recursive: true });
  }

  async install(...names: readonly string[]): Promise<void> {
    for (const name of names) {
      const given = livepatchModule(name, RELEASE);
      await HostStore.change({ state: this.state }, (store) => install(store, given, ANYTHING));
    }
  }

  /** @param ends how the boot ends where no livepatch ends it. @returns what was loaded, and how it ended */
  async boot(
    ends: "lives" | "ended" | "power cut",
    cutAfter = Number.POSITIVE_INFINITY,
  ): Promise<{ readonly loaded: string[]; readonly died: boolean; readonly leftOut: string[] }> {
    const boot = `boot-${this.#boots++}`;
    const loaded: string[] = [];
    let leftOut: string[] = [];
    const targets = this.#targets(loaded, cutAfter);
    try {
      using store = HostStore.open({ state: this.state }, boot);
      if (store === undefined) throw new Error("nothing is installed");
      leftOut = judgeBoots(store, boot).map(({ name }) => name);
      await loadInstalled(store, targets, { verb: "boot" });
      if (loaded.some((name) => this.natures.get(name) === "dies-later")) throw new Crash();
      if (ends !== "power cut") store.endTrials(ends === "lives");
      return { loaded, died: ends === "power cut", leftOut };
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      return { loaded, died: true, leftOut };
    }
  }

  #targets(loaded: string[], cutAfter: number): BootTargets {
    return {
      release: RELEASE,
      loaded: async () => new Set(),
      loadProgram: async () => [],
      loadKernel: async ({ name }): Promise<VerbResult> => {
        const nature = this.natures.get(name) ?? "good";
        if (nature === "dies-loading" || loaded.length >= cutAfter) throw new Crash();
        if (nature !== "refused") loaded.push(name);
        const outcome = nature === "refused" ? "refused" : "done";
        return { name: "Linux", outcome, problems: [], notes: [], holders: [] };
      },
    };
  }

  leftOut(): string[] {
    using store = HostStore.open({ state: this.state });
    return (store?.installed() ?? []).filter((each) => each.leftOut !== undefined).map(({ name }) => name);
  }
}

/** Crashes of the made-up kernel are thrown past what catches errors of a load. */
test("what a boot dies of while it is loaded is left out by the next, and exactly that", async () => {
  using machine = new Machine({ bad: "dies-loading" });
  await machine.install("one", "bad", "two");
  expect(await machine.boot("lives")).toMatchObject({ died: true, loaded: ["one"] });
  expect(await machine.boot("lives")).toEqual({ died: false, loaded: ["one", "two"], leftOut: ["bad"] });
  expect(await machine.boot("lives")).toEqual({ died: false, loaded: ["one", "two"], leftOut: [] });
  expect(machine.leftOut()).toEqual(["bad"]);
  using store = HostStore.open({ state: machine.state });
  expect(store?.last("leave-out")).toMatchObject({
    patch: "bad",
    why: expect.stringContaining("while it was being loaded"),
  });
});

test("what a boot dies of soon after it was loaded is left out; what has lived through a boot is not suspected beside it", async () => {
  using machine = new Machine({ bad: "dies-later" });
  await machine.install("one");
  expect(await machine.boot("lives")).toMatchObject({ died: false });
  await machine.install("bad");
  expect(await machine.boot("lives")).toMatchObject({ died: true, loaded: ["one", "bad"] });
  expect(await machine.boot("lives")).toEqual({ died: false, loaded: ["one"], leftOut: ["bad"] });
});

test("a boot that is ended in order, however soon, blames nobody; nor does one that has lived", async () => {
  using machine = new Machine({});
  await machine.install("one", "two");
  await machine.boot("ended");
  expect(await machine.boot("lives")).toEqual({ died: false, loaded: ["one", "two"], leftOut: [] });
  expect(await machine.boot("lives")).toEqual({ died: false, loaded: ["one", "two"], leftOut: [] });
});

test("what is refused is no suspect, and is tried again at the next boot", async () => {
  using machine = new Machine({ no: "refused" });
  await machine.install("no");
  expect(await machine.boot("power cut")).toMatchObject({ loaded: [] });
  expect(await machine.boot("lives")).toEqual({ died: false, loaded: [], leftOut: [] });
});

test("one that was left out is loaded again when it is installed again", async () => {
  using machine = new Machine({});
  await machine.install("one");
  await machine.boot("power cut");
  expect(await machine.boot("lives")).toEqual({ died: false, loaded: [], leftOut: ["one"] });
  await machine.install("one");
  expect(await machine.boot("lives")).toEqual({ died: false, loaded: ["one"], leftOut: [] });
});

test("whatever livepatches do and whenever power fails: one crashed boot for each bad one at most, and a good one is left out only for a boot that died with it", async () => {
  const nature = fc.constantFrom<Nature>("good", "good", "refused", "dies-loading", "dies-later");
  await fc.assert(
    fc.asyncProperty(fc.array(nature, { minLength: 1, maxLength: 5 }), async (natures) => {
      const named = Object.fromEntries(natures.map((each, index) => [`p${index}`, each]));
      using machine = new Machine(named);
      await machine.install(...Object.keys(named));
      const bad = natures.filter((each) => each.startsWith("dies")).length;
      const crashes: (readonly string[])[] = [];
      let last = await machine.boot("lives");
      while (last.died) {
        crashes.push(last.loaded);
        last = await machine.boot("lives");
      }
      expect(crashes.length).toBeLessThanOrEqual(bad);
      const out = machine.leftOut();
      for (const [name, each] of Object.entries(named)) {
        if (each.startsWith("dies") && last.loaded.includes(name)) throw new Error(`${name} is loaded`);
        if (each === "good" && out.includes(name)) expect(crashes.some((loaded) => loaded.includes(name))).toBe(true);
        if (each === "refused") expect(out).not.toContain(name);
      }
    }),
    { numRuns: isLong ? 100 : 8 },
  );
});

test("power that fails at any step of a boot leaves out exactly the one that was being loaded", async () => {
  for (const cutAfter of [0, 1, 2]) {
    using machine = new Machine({});
    const names = ["one", "two", "three"];
    await machine.install(...names);
    expect(await machine.boot("lives", cutAfter)).toMatchObject({ died: true, loaded: names.slice(0, cutAfter) });
    expect(await machine.boot("lives")).toMatchObject({ died: false, leftOut: [names[cutAfter]] });
  }
});
