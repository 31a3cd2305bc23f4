import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { MadeUpKernel } from "../../../test/made-up-kernel.ts";
import { coreOf, kallsymsOf } from "../../../test/made-up-memory.ts";
import type { LivepatchFile } from "../../patch/livepatch-file.ts";
import type { FuncRecord, ObjectRecord, OriginalRecord } from "../../patch/metadata.ts";
import { entryUsers } from "./entry-users.ts";
import { proveOriginals } from "./prove-originals.ts";

const START = 0xffff_ffff_9a00_0000n;
const MODULE = 0xffff_ffff_c034_1000n;
const OTHER = 0xffff_ffff_c050_0000n;

/** nop5 (the hook); mov $imm32,%rdi, an address; call rel32; jmp thunk, which the kernel makes a return of; ret. */
const SHIPPED = Buffer.from("0f1f44000048c7c710200000e811223344e955667788c3cc", "hex");
const ORIGINAL: OriginalRecord = {
  offset: 0x1000,
  code: SHIPPED.toString("base64"),
  hook: 0,
  rewritten: [
    [0, 5],
    [17, 5],
  ],
  fields: [{ at: 8, size: 4, moves: "with" }],
};
const RUNNING = Buffer.from("0f1f44000048c7c71020009ae811223344c3ccccccccc3cc", "hex");

/** A module's: call of a symbol of vmlinux, an address in its own data. */
const MODULE_SHIPPED = Buffer.from("e80000000048c7c700000000c3", "hex");
const OF_MODULE: OriginalRecord = {
  code: MODULE_SHIPPED.toString("base64"),
  rewritten: [],
  fields: [
    { at: 1, size: 4, isRelative: true, symbol: "helper", addend: -4 },
    { at: 8, size: 4, isRelative: false, section: ".data", addend: 0x10 },
  ],
};
const CALLED = START + 0x5000n;
function runningModule(): Buffer {
  const bytes = Buffer.from(MODULE_SHIPPED);
  bytes.writeInt32LE(Number(CALLED - (MODULE + 5n)), 1);
  bytes.writeUInt32LE(0xc034_3010, 8);
  return bytes;
}

const FUNC: FuncRecord = { name: "patched", sympos: 0, source: "a.c", why: "", size: { original: 24, patched: 30 } };
const VMLINUX: ObjectRecord = { name: "vmlinux", callbacks: [], funcs: [{ ...FUNC, original: ORIGINAL }] };
const IN_MODULE: ObjectRecord = {
  name: "dummy",
  callbacks: [],
  funcs: [{ ...FUNC, name: "of_dummy", original: OF_MODULE }],
};

/** What proving needs of one. */
function livepatch(...objects: readonly ObjectRecord[]): LivepatchFile {
  const data = Buffer.alloc(64);
  data.write("7f454c46020101", 0, "hex");
  data.writeUInt16LE(62, 18);
  const metadata = { version: 1, objects } as unknown as LivepatchFile["metadata"];
  return { path: "fix.ko", name: "fix", data, vermagic: "", targets: [], metadata, patchVersion: 1 };
}

let kernel: MadeUpKernel;

function runs(code: Buffer, module = runningModule()): void {
  kernel.write({
    "proc/kcore": coreOf([
      { address: START, bytes: Buffer.concat([Buffer.alloc(0x1000), code]) },
      { address: MODULE, bytes: module },
    ]),
  });
}

beforeEach(() => {
  kernel = new MadeUpKernel({
    "proc/kallsyms": kallsymsOf([
      [0x0n, "fixed_percpu_data"],
      [START, "_text"],
      [START + 0x1000n, "patched"],
      [CALLED, "helper"],
      [MODULE, "of_dummy", "dummy"],
      [OTHER, "new_patched", "other_fix"],
    ]),
    "proc/modules": `dummy 16384 0 - Live 0x0\nother_fix 16384 1 - Live 0x0 (OEK)\n`,
    "sys/module/dummy/sections/.data": "0xffffffffc0343000\n",
    "sys/kernel/debug/kprobes/list": "",
    "sys/kernel/tracing/enabled_functions": "",
  });
  runs(RUNNING);
});
afterEach(() => kernel[Symbol.dispose]());

const prove = async (...objects: readonly ObjectRecord[]) => await proveOriginals(kernel.root, livepatch(...objects));

function changed(at: number, bytes: string): Buffer {
  const code = Buffer.from(RUNNING);
  code.write(bytes, at, "hex");
  return code;
}

test("what runs is proved, less what the kernel itself rewrites, wherever the kernel was moved to", async () => {
  expect(await prove(VMLINUX)).toEqual({
    problems: [],
    proved:
      "the function that it patches is in memory what it was built against: 19 bytes are equal; 5 others are what the kernel itself has rewritten",
    notProved: [],
    jumpedFrom: [],
  });
});

test("a module's fields are held against where its symbols and sections lie", async () => {
  expect(await prove(IN_MODULE)).toMatchObject({
    problems: [],
    notProved: [],
    proved: expect.stringMatching(/13 bytes are equal$/),
  });
  const module = runningModule();
  module.writeInt32LE(module.readInt32LE(1) + 1, 1);
  runs(RUNNING, module);
  expect(await prove(IN_MODULE)).toMatchObject({
    problems: [{ code: "ORIGINAL_NOT_PROVED", where: expect.stringMatching(/^of_dummy \+0x1: .* in memory/) }],
  });
});

test("every single byte that is another one is found, but for those that the kernel rewrites", async () => {
  const open = new Set([...Array(5).keys(), 17, 18, 19, 20, 21]);
  for (let at = 5; at < RUNNING.length; at++) {
    const code = Buffer.from(RUNNING);
    code[at] = (code[at] as number) ^ 0x55;
    runs(code);
    const codes = (await prove(VMLINUX)).problems.map(({ code: each, where }) => `${each} ${where.split(":")[0]}`);
    // The field of an address is found as a whole.
    expect({ at, codes }).toEqual({
      at,
      codes: open.has(at) ? [] : [`ORIGINAL_NOT_PROVED patched +0x${at.toString(16)}`],
    });
  }
});

test("calls that the kernel counts are others where it does count them, and nowhere else", async () => {
  // The call at 12.
  const counting = { ...VMLINUX, funcs: [{ ...FUNC, original: { ...ORIGINAL, counted: [[12, 5] as const] } }] };
  const retbleed = (said: string) => kernel.write({ "sys/devices/system/cpu/vulnerabilities/retbleed": said });
  runs(changed(13, "0f"));
  retbleed("Mitigation: untrained return thunk; SMT vulnerable\n");
  expect((await prove(counting)).problems).toMatchObject([{ where: expect.stringMatching(/^patched \+0xd: /) }]);
  retbleed("Mitigation: Stuffing\n");
  expect(await prove(counting)).toMatchObject({ problems: [], proved: expect.stringMatching(/18 bytes are equal/) });
});

test("a function that another tool jumps away from is named with where it leads", async () => {
  const jump = Buffer.alloc(5, 0xe9);
  jump.writeInt32LE(Number(BigInt.asIntN(32, CALLED - (START + 0x100an))), 1);
  runs(changed(5, jump.toString("hex")));
  expect((await prove(VMLINUX)).problems).toMatchObject([
    { code: "ORIGINAL_NOT_PROVED", where: expect.stringMatching(/leads to helper of vmlinux/) },
  ]);
});

test("a jump behind the hook into a livepatch is that livepatch's, and nobody else's", async () => {
  const jump = Buffer.alloc(5, 0xe9);
  jump.writeInt32LE(Number(BigInt.asIntN(32, OTHER - (START + 0x100an))), 1);
  runs(changed(5, jump.toString("hex")));
  expect(await prove(VMLINUX)).toMatchObject({ problems: [], proved: undefined, jumpedFrom: [{ by: "other_fix" }] });
  kernel.write({ "proc/modules": "other_fix 16384 1 - Live 0x0 (OE)\n" });
  expect((await prove(VMLINUX)).problems).toMatchObject([{ code: "ORIGINAL_NOT_PROVED" }]);
});

test("a breakpoint of the kernel's own probes is explained by its list alone", async () => {
  runs(changed(12, "cc"));
  expect((await prove(VMLINUX)).problems).toMatchObject([
    { where: expect.stringMatching(/^patched \+0xc: cc in memory/) },
  ]);
  const address = (START + 0x100cn).toString(16);
  kernel.write({ "sys/kernel/debug/kprobes/list": `${address}  k  patched+0xc    \n` });
  expect(await prove(VMLINUX)).toMatchObject({ problems: [], proved: expect.stringMatching(/is in memory/) });
});

test("a hook in use that ftrace knows no tracer of is a finding", async () => {
  runs(changed(0, "e811223344"));
  expect((await prove(VMLINUX)).problems).toMatchObject([
    { code: "ORIGINAL_NOT_PROVED", where: expect.stringMatching(/ftrace knows of no tracer/) },
  ]);
  kernel.write({ "sys/kernel/tracing/enabled_functions": "patched (1)           \ttramp: 0xffffffffc0000000\n" });
  expect((await prove(VMLINUX)).problems).toEqual([]);
});

test("a function that is not where it was is a finding", async () => {
  kernel.write({
    "proc/kallsyms": kallsymsOf([
      [START, "_text"],
      [START + 0x1010n, "patched"],
    ]),
  });
  expect((await prove(VMLINUX)).problems).toMatchObject([
    {
      code: "ORIGINAL_NOT_PROVED",
      where: expect.stringMatching(/at _text\+0x1010 in memory, built against _text\+0x1000/),
    },
  ]);
});

test.each<[string, () => void]>([
  ["no /proc/kcore", () => rmSync(join(kernel.root, "proc/kcore"))],
  [
    "no core file",
    () => kernel.write({ "proc/kcore": "something else that is long enough to be a header of such a file" }),
  ],
  ["hides where its functions are", () => kernel.write({ "proc/kallsyms": kallsymsOf([[0n, "_text"]]) })],
  ["cannot be read", () => kernel.write({ "proc/kcore": coreOf([]) })],
  ["cannot be read", () => runs(Buffer.alloc(SHIPPED.length))],
])("where it cannot be looked that is said, and nothing is proved or refused: %s", async (said, change) => {
  change();
  expect(await prove(VMLINUX)).toMatchObject({
    problems: [],
    proved: undefined,
    notProved: [expect.stringContaining(said)],
  });
});

test("a module that is not loaded, and a livepatch that does not say what it was built against, are not proved", async () => {
  kernel.write({ "proc/modules": "" });
  expect((await prove(IN_MODULE)).notProved).toEqual([expect.stringMatching(/module dummy is not loaded/)]);
  expect((await prove({ ...VMLINUX, funcs: [FUNC] })).notProved).toEqual([
    expect.stringMatching(/does not hold the code/),
  ]);
  const foreign = { ...livepatch(), metadata: undefined };
  expect((await proveOriginals(kernel.root, foreign)).notProved).toEqual([expect.stringMatching(/not made by suture/)]);
});

test("who has hold of a function is a refusal where the kernel would refuse, and a note where it would not", async () => {
  const users = async (object = VMLINUX) => await entryUsers(kernel.root, livepatch(object));
  const codes = async (object?: ObjectRecord) => (await users(object)).problems.map(({ code }) => code);
  const by = (how: Partial<FuncRecord>): ObjectRecord => ({
    ...VMLINUX,
    funcs: [{ ...FUNC, ...how, original: ORIGINAL }],
  });
  expect(await users()).toEqual({ problems: [], notes: [] });
  kernel.write({ "proc/sys/kernel/ftrace_enabled": "0\n" });
  expect(await codes()).toEqual(["FTRACE_OFF"]);
  expect(await codes(by({ by: "switch" }))).toEqual([]);
  kernel.write({ "proc/sys/kernel/ftrace_enabled": "1\n" });
  // A tracer and a BPF program share the function.
  kernel.write({ "sys/kernel/tracing/enabled_functions": "patched (2) R   D   \tdirect-->bpf_trampoline_1+0x0/0x1\n" });
  expect(await users()).toMatchObject({ problems: [], notes: [expect.stringMatching(/BPF/)] });
  // One that sends callers elsewhere does not.
  kernel.write({ "sys/kernel/tracing/enabled_functions": "patched (1) R I     \ttramp: 0xffffffffc0000000\n" });
  expect(await codes()).toEqual(["FUNCTION_TAKEN"]);
  expect(await codes(by({ sympos: 2 }))).toEqual([]);
  kernel.write({ "sys/kernel/debug/kprobes/list": "ffffffff9a001000  k  patched+0x0    [FTRACE]\n" });
  expect((await users()).problems).toMatchObject([{ what: expect.stringMatching(/kprobe with a post-handler/) }]);
  // A livepatch below explains it.
  kernel.write({
    "sys/kernel/livepatch/below/enabled": "1\n",
    "sys/kernel/livepatch/below/transition": "0\n",
    "sys/kernel/livepatch/below/vmlinux/patched": "1\n",
    "sys/kernel/livepatch/below/vmlinux/patched,1/.": "",
  });
  expect(await users()).toMatchObject({
    problems: [],
    notes: [expect.stringMatching(/patched by below already/), expect.stringMatching(/goes on/)],
  });
  expect(await codes(by({ by: "switch" }))).toEqual(["FUNCTION_TAKEN"]);
});

test("a probe that a jump at the entry would be written over keeps a switched function out, another one does not", async () => {
  const switched: ObjectRecord = { ...VMLINUX, funcs: [{ ...FUNC, by: "switch", original: ORIGINAL }] };
  const at = (offset: number) => ({
    "sys/kernel/debug/kprobes/list": `ffffffff9a001005  k  patched+0x${offset.toString(16)}    [DISABLED]\n`,
  });
  kernel.write(at(5));
  expect((await entryUsers(kernel.root, livepatch(switched))).problems).toMatchObject([{ code: "FUNCTION_TAKEN" }]);
  kernel.write(at(0x11));
  expect(await entryUsers(kernel.root, livepatch(switched))).toMatchObject({
    problems: [],
    notes: [expect.stringMatching(/tells of nothing/)],
  });
});
