/** The kernel target's own code, run in a guest by a Node brought along. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import { Vm } from "../../src/rehearse/vm.ts";
import { makeLivepatches } from "./livepatch-fixtures.ts";
import { nodeFiles, projectFiles } from "./program-files.ts";
import { type StockKernel, stockKernel } from "./stock-kernel.ts";

const PROGRAM = `
import { KernelTarget } from "/app/src/targets/kernel/kernel-target.ts";
const target = new KernelTarget();
const said = {};
const coded = async (work) => await work.then(() => "done", (error) => error.code ?? String(error));
said.identity = await target.identify();
said.before = await target.status();
said.fit = await target.preflight("/good.ko");
said.loaded = await target.load("/good.ko");
await target.settled("good", 30);
said.settled = (await target.status())[0];
said.again = (await target.preflight("/good.ko")).map(({ code }) => code);
said.loadAgain = await coded(target.load("/good.ko"));
said.enableEnabled = await coded(target.enable("good"));
said.unloadEnabled = await coded(target.unload("good"));
await target.disable("good");
await target.settled("good", 30);
await target.unload("good");
said.after = await target.status();
said.disableGone = await coded(target.disable("good"));
said.stuck = await target.load("/never_done.ko");
said.timedOut = await target.settled("never_done", 1).catch(({ code, where }) => ({ code, where }));
said.inTransition = (await target.preflight("/good.ko")).map(({ code }) => code);
await target.force("never_done");
await target.settled("never_done", 30);
said.forced = (await target.status())[0];
console.log(JSON.stringify(said));
`;

let kernel: StockKernel;
let directory: TemporaryDirectory;
let said: Readonly<Record<string, unknown>>;

beforeAll(async () => {
  kernel = await stockKernel("6.1");
  directory = await temporaryDirectory();
  const made = await makeLivepatches(kernel, join(directory.path, "livepatches"), {
    good: { name: "cmdline_proc_show", body: "return 0;" },
    // The thread that makes kernel threads never leaves its function.
    never_done: { name: "kthreadd", prototype: "static int replacement(void *unused)", body: "return 0;" },
  });
  await using vm = await Vm.start({
    image: kernel.image,
    files: [
      ...(await nodeFiles()),
      ...(await projectFiles(["src/targets", "src/patch", "src/elf", "src/lib", "node_modules/valibot"])),
      { kind: "copy", path: "/good.ko", from: made.good },
      { kind: "copy", path: "/never_done.ko", from: made.never_done },
      { kind: "data", path: "/app/program.ts", data: PROGRAM },
    ],
    log: join(directory.path, "guest.log"),
  });
  const job = await vm.run("node --no-warnings /app/program.ts", 300);
  if (job.status !== 0) throw new Error(job.output);
  said = JSON.parse(job.output) as Record<string, unknown>;
});

afterAll(async () => await directory[Symbol.asyncDispose]());

test("the running kernel is identified", () => {
  expect(said["identity"]).toEqual({
    name: `Linux ${kernel.release}`,
    buildId: expect.stringMatching(/^[0-9a-f]{40}$/),
  });
  expect(said["before"]).toEqual([]);
});

test("a livepatch goes in, is seen with its objects and funcs, and goes out", () => {
  expect(said["fit"]).toEqual([]);
  expect(said["loaded"]).toMatchObject({ name: "good", enabled: true });
  expect(said["settled"]).toEqual({
    name: "good",
    enabled: true,
    transition: false,
    objects: [{ name: "vmlinux", patched: true, funcs: [{ name: "cmdline_proc_show", sympos: 1 }] }],
    holders: [],
  });
  expect(said["after"]).toEqual([]);
});

test("what the kernel does not do is an error with a code, and is foreseen where it can be", () => {
  expect(said["again"]).toEqual(["ALREADY_LOADED"]);
  expect(said["loadAgain"]).toBe("LOAD_FAILED");
  expect(said["enableEnabled"]).toBe("STATE_NOT_CHANGED");
  expect(said["unloadEnabled"]).toBe("UNLOAD_FAILED");
  expect(said["disableGone"]).toBe("NO_SUCH_PATCH");
});

test("a transition that does not end shows the task that holds it up, and can be forced", () => {
  expect(said["stuck"]).toMatchObject({
    transition: true,
    holders: expect.arrayContaining([
      expect.objectContaining({
        name: "kthreadd",
        universe: "old",
        stack: expect.arrayContaining([expect.stringMatching(/^kthreadd\+0x/)]),
      }),
    ]),
  });
  expect(said["timedOut"]).toEqual({
    code: "TRANSITION_TIMED_OUT",
    where: expect.stringMatching(/^held up by kthreadd \(2\) in kthreadd\+0x/),
  });
  expect(said["inTransition"]).toEqual(["TRANSITION_IN_PROGRESS"]);
  expect(said["forced"]).toMatchObject({ enabled: true, transition: false });
});
