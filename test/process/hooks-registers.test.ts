import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Hook, Site } from "../../src/core/machine.ts";
import { ProcessMachine } from "../../src/process/machine/process-machine.ts";
import { Apart } from "./apart.ts";

test("whatever a hook does, a call arrives with every register and the stack as the caller left them", async () => {
  const directory = mkdtempSync(join(tmpdir(), "suture-registers-test-"));
  const path = join(directory, "registers");
  const shared = join(directory, "seen");
  execFileSync("gcc", ["-O1", "-no-pie", "-o", path, join(import.meta.dirname, "hook-programs", "registers.c")]);
  const addressOf = (name: string): number =>
    Number.parseInt(
      execFileSync("nm", [path], { encoding: "utf8" })
        .split("\n")
        .find((line) => line.endsWith(` ${name}`)) ?? "",
      16,
    );
  const seen = (): number[] => [0, 8, 16].map((at) => Number(readFileSync(shared).readBigUInt64LE(at)));
  /** Waits until calls of this version have come. */
  const untilMore = async (version: number): Promise<void> => {
    const before = seen()[version] as number;
    while ((seen()[version] as number) < before + 100) {
      expect(program.exit).toBeUndefined();
      await setTimeout(1);
    }
  };
  const program = new Apart(path, [shared], "ignore");
  try {
    const { pid } = program;
    while (!existsSync(shared) || statSync(shared).size === 0) await setTimeout(1);
    await untilMore(1);
    using machine = ProcessMachine.attach(pid);
    const [entry, patched] = [addressOf("target"), addressOf("target_new")];
    // Its first two instructions, both of them relative to where they lie.
    const site: Site = { id: "registers:target,0", original: { entry, ranges: [{ start: entry, end: entry + 14 }] } };
    const commit = (hook: Hook, behind: readonly number[]) => {
      const { value } = machine.stopped((system) =>
        system.commit({ hooks: new Map([[site, hook]]), behind: new Set(behind), record: "{}" }),
      );
      expect(value).toBeUndefined();
    };
    const choose: Hook = { kind: "choose", behind: "original", ahead: patched };
    const states: [() => void, number][] = [
      [() => commit(choose, [pid]), 1],
      [() => machine.stoppedTask(pid, () => machine.advance(pid)), 2],
      [() => commit({ kind: "direct", to: patched }, []), 2],
      [() => commit({ kind: "choose", behind: patched, ahead: "original" }, [pid]), 2],
      [() => machine.stoppedTask(pid, () => machine.advance(pid)), 1],
      [() => commit({ kind: "direct", to: "original" }, []), 1],
    ];
    for (let round = 0; round < 20; round++) {
      for (const [change, version] of states) {
        change();
        // The call that is under way may be of the version before.
        await untilMore(version);
        const before = seen();
        await untilMore(version);
        const other = 3 - version;
        expect([seen()[0], seen()[other]]).toEqual([0, before[other]]);
      }
    }
  } finally {
    program[Symbol.dispose]();
    rmSync(directory, { recursive: true });
  }
});
