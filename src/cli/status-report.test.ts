import { expect, test } from "vitest";
import { wouldShow } from "../../test/fixtures/shown.ts";
import type { InstalledState } from "../host/status/installed-state.ts";
import type { InstalledLivepatch, MachineState } from "../host/status/machine.ts";
import type { InstalledTarget } from "../host/store/installed.ts";
import { SutureError } from "../lib/error.ts";
import { statusJson, statusLines } from "./status-report.ts";

const NOTHING: MachineState = {
  ...{ kernel: "Linux 6.1", live: [], installed: [], unknown: undefined, harm: undefined },
  ...{ fixes: [], newer: [], damaged: [], hidden: 0 },
};
const live = { name: "fix", where: "Linux 6.1", isKernel: true, isForced: false, pids: [], holders: [] } as const;

function installed(name: string, state: Partial<InstalledState>): InstalledLivepatch {
  const now = { processes: 0, without: [], replaced: [], isSuccessorRunning: false, isAtBoot: true } as const;
  const target: InstalledTarget = { kind: "program", of: "redis 7", objects: [] };
  return {
    installed: { id: 1, name, digest: "00", size: 1, version: 0, target, at: 0 },
    state: { kind: "idle", ...now, ...state },
  };
}

function shownLines(state: Partial<MachineState>): string[] {
  const all = { ...NOTHING, ...state };
  wouldShow("status", statusJson(all));
  return statusLines(all);
}

test("a machine with nothing on it says so", () => {
  expect(shownLines({})).toEqual([
    "Linux 6.1: neither the kernel nor a process has a livepatch",
    "",
    "nothing is installed: a reboot brings the code that is on disk",
  ]);
});

test("a transition is told with the tasks that hold it up, a program with its processes", () => {
  const holders = [{ tid: 7, name: "worker", why: "inside f at frame 1; asleep in poll" }];
  const program = { ...live, where: "redis-server", isKernel: false, state: "enabled" } as const;
  const lines = shownLines({
    live: [
      { ...live, state: "enabling", holders },
      { ...program, pids: [1, 2] },
      { ...program, name: "other", pids: [3], isForced: true },
      { ...program, name: "old", state: "unloaded", pids: [3] },
    ],
  });
  expect(lines.slice(0, 5)).toEqual([
    "Linux 6.1     fix    enabling, 1 task has not switched",
    "  worker (7): inside f at frame 1; asleep in poll",
    "redis-server  fix    enabled in 2 processes",
    "redis-server  other  enabled in process 3, forced",
    "redis-server  old    unloaded, its memory stays in process 3",
  ]);
  expect(lines.at(-1)).toBe("not installed, and gone with a reboot or a restart: fix, other");
});

test.each([
  ["live in all 3 processes", { kind: "live", processes: 3 }],
  ["live in its process", { kind: "live", processes: 1 }],
  ["live", { kind: "live" }],
  ["live in 1 of 3 processes", { kind: "partly", processes: 3, without: [4, 5] }],
  ["not loaded in its process", { kind: "not-loaded", processes: 1, without: [4] }],
  ["not loaded", { kind: "not-loaded" }],
  ["no process runs it", { kind: "idle" }],
  ["another kernel runs", { kind: "other-kernel" }],
  ["not needed any more", { kind: "not-needed" }],
  ["left out", { kind: "left-out" }],
] as const)("an installed livepatch is %s", (said, state) => {
  const lines = shownLines({ installed: [installed("fix", { ...state, why: "for a reason" })] });
  expect(lines[2]).toMatch(/^INSTALLED +FOR +NOW +REBOOT$/);
  expect(lines[3]).toMatch(new RegExp(`^fix +redis 7 +${said} +comes back after a reboot$`));
  expect(lines[4]).toBe("  for a reason");
});

test("what cannot be known is said, and the last harm", () => {
  const unknown = new SutureError("NOT_PERMITTED", "only root may see and change what is installed");
  const harm = { at: 0, boot: "b", verb: "leave-out", patch: "bad", target: "Linux 6.1", outcome: "done", pids: [] };
  const lines = shownLines({ installed: undefined, unknown, harm: { ...harm, why: "a boot ended" } });
  expect(lines[2]).toBe("installed: only root may see and change what is installed");
  expect(lines.at(-1)).toMatch(/^last harm, \d{4}-\d\d-\d\d \d\d:\d\d:\d\d: bad in Linux 6\.1: a boot ended$/);
});

test("fixes of what runs as an older version are counted, and processes without the livepatch are named", () => {
  const fixes = [
    { kind: "program", name: "redis", from: "7.0-1", live: 5, waiting: 1, without: [], each: [] },
    { kind: "kernel", name: "Linux 6.1", from: "6.1.190-1", live: 0, waiting: 3, without: [], each: [] },
    { kind: "program", name: "nginx", live: 0, waiting: 2, without: [7, 8], each: [] },
  ] as const;
  expect(shownLines({ fixes }).slice(-4)).toEqual([
    "FIXES",
    "redis 7.0-1  5 live  1 waits for a restart",
    "Linux 6.1    0 live  3 wait for a reboot",
    "nginx        0 live  2 wait for a restart   without its livepatch: 7, 8",
  ]);
});
