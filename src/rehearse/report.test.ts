import { expect, test } from "vitest";
import { formatRehearsal } from "./report.ts";
import type { Rehearsal } from "./result.ts";

test("of a finding the instruction and the sure part of the call trace are told", () => {
  const context = [
    "CPU: 0 PID: 71 Comm: cat Tainted: G           OE K",
    "RIP: 0010:replacement+0x5/0x20 [oopses]",
    "RSP: 0018:ffffc90000123d88 EFLAGS: 00000246",
    " ? show_regs+0x1/0x2",
    " seq_read_iter+0x120/0x4a0",
    "RIP: 0033:0x7f3c1c0f5a10",
    "RIP: 0010:0x0",
  ];
  const finding = {
    boot: "targets first",
    step: "script after",
    kind: "oops",
    line: "BUG: kernel NULL",
    context,
  } as const;
  const rehearsal: Rehearsal = {
    kind: "rehearsed",
    livepatch: "fix",
    release: "6.1",
    ok: false,
    boots: [],
    steps: [],
    transitions: [],
    transitionSeconds: undefined,
    objects: [],
    findings: [finding],
    uptimeContinues: true,
    seconds: 1,
  };
  const told = formatRehearsal(rehearsal).filter((line) => line.startsWith("    "));
  expect(told.map((line) => line.trim())).toEqual([
    "RIP: 0010:replacement+0x5/0x20 [oopses]",
    "seq_read_iter+0x120/0x4a0",
    "RIP: 0010:0x0",
  ]);
});
