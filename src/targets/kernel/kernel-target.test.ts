import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { run } from "../../lib/run.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../lib/temp.ts";
import { KernelTarget } from "./kernel-target.ts";

const BUILD_ID = "00112233445566778899aabbccddeeff00112233";

/** A note as in sysfs: name size, description size, type 3 (build-id), "GNU". */
function buildIdNote(buildId: string): Buffer {
  const head = Buffer.from("040000001400000003000000474e5500", "hex");
  return Buffer.concat([head, Buffer.from(buildId, "hex")]);
}

/** A kernel's files, in which the patch `one` is enabled and `two` on its way. */
const FILES: Readonly<Record<string, string | Buffer>> = {
  "proc/sys/kernel/osrelease": "6.1.0-1-amd64\n",
  "proc/1/task/1/patch_state": "1\n",
  "proc/1/task/1/comm": "init\n",
  "proc/20/task/20/patch_state": "1\n",
  "proc/20/task/21/patch_state": "0\n",
  "proc/20/task/21/comm": "a worker\n",
  "proc/20/task/21/stack": "[<0>] old_function+0x12/0x34\n[<0>] ret_from_fork+0x22/0x30\n",
  "proc/version": "not a task\n",
  "sys/kernel/notes": buildIdNote(BUILD_ID),
  "sys/kernel/livepatch/one/enabled": "1\n",
  "sys/kernel/livepatch/one/transition": "0\n",
  "sys/kernel/livepatch/one/vmlinux/patched": "1\n",
  "sys/kernel/livepatch/one/vmlinux/cmdline_proc_show,1/.": "",
  "sys/kernel/livepatch/one/kvm_intel/patched": "0\n",
  "sys/kernel/livepatch/one/kvm_intel/vmx_exit,2/.": "",
  "sys/kernel/livepatch/two/enabled": "1\n",
  "sys/kernel/livepatch/two/transition": "1\n",
  "sys/kernel/livepatch/two/vmlinux/old_function,0/.": "",
  "sys/module/there/refcnt": "0\n",
};

async function machine(directory: TemporaryDirectory, without: readonly string[] = []): Promise<KernelTarget> {
  for (const [path, content] of Object.entries(FILES)) {
    if (without.some((each) => path.startsWith(each))) continue;
    await mkdir(join(directory.path, dirname(path)), { recursive: true });
    if (!path.endsWith("/.")) await writeFile(join(directory.path, path), content);
  }
  return new KernelTarget({ root: directory.path });
}

async function livepatch(directory: TemporaryDirectory, name: string, release = "6.1.0-1-amd64"): Promise<string> {
  const path = join(directory.path, `${name}.ko`);
  const pairs = ["livepatch=Y", `name=${name}`, `vermagic=${release} SMP`].map((pair) => `.asciz "${pair}"\n`);
  await run("as", ["-o", path, "-"], { input: `.section .modinfo,"a"\n${pairs.join("")}`, check: true });
  return path;
}

test("a kernel is known by its release and build-id", async () => {
  await using directory = await temporaryDirectory();
  const target = await machine(directory);
  expect(await target.identify()).toEqual({ name: "Linux 6.1.0-1-amd64", buildId: BUILD_ID });
});

test("the status shows patches, objects, funcs, and the tasks that hold a transition up", async () => {
  await using directory = await temporaryDirectory();
  const status = await (await machine(directory)).status();
  expect(status.toSorted((a, b) => a.name.localeCompare(b.name))).toEqual([
    {
      name: "one",
      enabled: true,
      transition: false,
      objects: expect.arrayContaining([
        { name: "vmlinux", patched: true, funcs: [{ name: "cmdline_proc_show", sympos: 1 }] },
        { name: "kvm_intel", patched: false, funcs: [{ name: "vmx_exit", sympos: 2 }] },
      ]),
      holders: [],
    },
    {
      name: "two",
      enabled: true,
      transition: true,
      objects: [{ name: "vmlinux", patched: undefined, funcs: [{ name: "old_function", sympos: 0 }] }],
      holders: [
        {
          pid: 20,
          tid: 21,
          name: "a worker",
          universe: "old",
          stack: ["old_function+0x12/0x34", "ret_from_fork+0x22/0x30"],
        },
      ],
    },
  ]);
});

test("a kernel with no livepatch has an empty status", async () => {
  await using directory = await temporaryDirectory();
  expect(await (await machine(directory, ["sys/kernel/livepatch"])).status()).toEqual([]);
});

test("disable and force write what the kernel's interface wants", async () => {
  await using directory = await temporaryDirectory();
  const target = await machine(directory);
  const file = (name: string): string => join(directory.path, "sys/kernel/livepatch/one", name);
  await target.disable("one");
  expect(await readFile(file("enabled"), "utf8")).toMatch(/^0/);
  await target.enable("one");
  expect(await readFile(file("enabled"), "utf8")).toMatch(/^1/);
  await writeFile(file("force"), "");
  await target.force("one");
  expect(await readFile(file("force"), "utf8")).toBe("1");
});

test.each(["three", "../one", "one/../two", ""])("there is no patch %j", async (name) => {
  await using directory = await temporaryDirectory();
  await expect((await machine(directory)).disable(name)).rejects.toMatchObject({ code: "NO_SUCH_PATCH" });
});

test("a transition that does not end is told with the task that holds it up", async () => {
  await using directory = await temporaryDirectory();
  await expect((await machine(directory)).settled("two", 0.1)).rejects.toMatchObject({
    code: "TRANSITION_TIMED_OUT",
    where: "held up by a worker (21) in old_function+0x12/0x34",
  });
});

test("preflight finds every reason why the kernel would not take a livepatch in", async () => {
  await using directory = await temporaryDirectory();
  const codes = async (target: KernelTarget, path: string): Promise<string[]> =>
    (await target.preflight(path)).map(({ code }) => code);
  const fit = await livepatch(directory, "fit");
  const settled = await machine(directory, ["sys/kernel/livepatch/two"]);
  expect(await codes(settled, fit)).toEqual([]);
  expect(await codes(settled, await livepatch(directory, "other", "6.1.0-2-amd64"))).toEqual(["WRONG_KERNEL"]);
  expect(await codes(settled, await livepatch(directory, "there"))).toEqual(["ALREADY_LOADED"]);
  expect(await codes(await machine(directory), fit)).toEqual(["TRANSITION_IN_PROGRESS"]);
  await mkdir(join(directory.path, "sys/module/module/parameters"), { recursive: true });
  await writeFile(join(directory.path, "sys/module/module/parameters/sig_enforce"), "Y\n");
  expect(await codes(settled, fit)).toEqual(["TRANSITION_IN_PROGRESS", "UNSIGNED"]);
});

test("preflight tells a kernel that cannot be livepatched", async () => {
  await using directory = await temporaryDirectory();
  const target = await machine(directory, ["sys/kernel/livepatch"]);
  const refusals = await target.preflight(await livepatch(directory, "fit"));
  expect(refusals.map(({ code }) => code)).toEqual(["NO_LIVEPATCHING"]);
});
