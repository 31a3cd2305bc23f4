/**
 * Every function of a kernel that runs is what its file says, less what the kernel's tables say that it rewrites.
 * SUTURE_KERNEL names another one that is ready, by its release, and SUTURE_EVERY=N has one function in N looked at.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readElf } from "../../src/elf/read.ts";
import { openSymbolTable } from "../../src/image/symbol-table.ts";
import { Cache } from "../../src/lib/cache.ts";
import { silentProgress } from "../../src/lib/progress.ts";
import { temporaryDirectory } from "../../src/lib/temp.ts";
import type { FuncRecord, ObjectRecord } from "../../src/patch/metadata.ts";
import type { Kernel } from "../../src/provider/kernel/kernel.ts";
import { moduleFiles } from "../../src/rehearse/guest.ts";
import { ModuleTree } from "../../src/rehearse/module-tree.ts";
import { Vm } from "../../src/rehearse/vm.ts";
import { type RunningObject, withOriginals } from "../../src/subject/kernel/match/running-code.ts";
import { ShippedObjects } from "../../src/subject/kernel/match/shipped-objects.ts";
import { readModule } from "../../src/subject/kernel/module-file.ts";
import { openKernel } from "../../src/subject/kernel/open-kernel.ts";
import type { OriginalsProof } from "../../src/targets/kernel/prove-originals.ts";
import { sutureFiles } from "../guest-programs.ts";
import { isLong } from "../long.ts";
import { type Series, stockKernel } from "./stock-kernel.ts";

const MODULES = { dummy: "drivers/net/dummy", sunrpc: "net/sunrpc/sunrpc", kvm: "arch/x86/kvm/kvm" };
/** A static call's trampoline is rewritten, and is no function that anybody patches. */
const NO_FUNCTION = /^__SCT__/;
const FUNCTION = 2;

const PROGRAM = `
import { readFileSync } from "node:fs";
import { proveOriginals } from "/app/src/targets/kernel/prove-originals.ts";
const metadata = JSON.parse(readFileSync("/whole.json", "utf8"));
const data = Buffer.from(metadata.head, "hex");
console.log(JSON.stringify(await proveOriginals("/", { name: "whole", path: "whole", data, metadata })));
process.exit(0);
`;

const KERNEL = process.env["SUTURE_KERNEL"];
const EVERY = Number(process.env["SUTURE_EVERY"] ?? 1);

function funcOf(name: string, position: number, count: number): FuncRecord {
  return { name, sympos: count === 1 ? 0 : position, source: "", why: "", size: { original: 0, patched: 0 } };
}

function sampled(funcs: readonly FuncRecord[]): FuncRecord[] {
  return funcs.filter((_, i) => i % EVERY === 0);
}

/** All of its code that has a name. */
async function ofVmlinux(kernel: Kernel): Promise<FuncRecord[]> {
  const table = openSymbolTable(await readFile(kernel.symbols));
  const [start, end] = ["_text", "_etext"].map((name) => table.byName(name)[0]?.address ?? 0n) as [bigint, bigint];
  const funcs: FuncRecord[] = [];
  for (let at: bigint | undefined = start; at !== undefined && at < end; at = table.covering(at)?.next)
    for (const { name } of table.at(at)) {
      const equal = table.byName(name);
      funcs.push(funcOf(name, equal.findIndex(({ address }) => address === at) + 1, equal.length));
    }
  return funcs.filter(({ name }) => !NO_FUNCTION.test(name));
}

async function ofModule(kernel: Kernel, path: string, module: RunningObject): Promise<FuncRecord[]> {
  const file = readElf(await readModule(kernel, path, undefined), path);
  return file.symbols.flatMap(({ name, type, place, value }) => {
    const section = place.kind === "section" ? file.sections[place.section] : undefined;
    if (type !== FUNCTION || section === undefined || section.name.startsWith(".init") || NO_FUNCTION.test(name))
      return [];
    const places = module.places(name);
    return [funcOf(name, places.indexOf(section.index * 2 ** 32 + Number(value)) + 1, places.length)];
  });
}

describe.runIf(isLong).each(KERNEL === undefined ? ["6.1", "6.12"] : [KERNEL])("Linux %s", (series) => {
  test("every function of the kernel and of some modules is proved, and none is taken for another one", async () => {
    const release = KERNEL ?? (await stockKernel(series as Series)).release;
    const kernel = await openKernel({ kind: "release", release }, { cache: new Cache(), progress: silentProgress });
    const image = kernel.vmlinuz ?? "";
    using shipped = await ShippedObjects.open(kernel, undefined);
    const sizes = shipped.layouts.entrySizes;
    const objects: ObjectRecord[] = [
      {
        name: "vmlinux",
        funcs: withOriginals(sampled(await ofVmlinux(kernel)), shipped.vmlinux, sizes),
        callbacks: [],
      },
    ];
    for (const [name, path] of Object.entries(MODULES)) {
      const { image: module } = await shipped.object(path);
      objects.push({
        name,
        funcs: withOriginals(sampled(await ofModule(kernel, path, module)), module, sizes),
        callbacks: [],
      });
    }
    const funcs = objects.flatMap((object) => object.funcs);
    const untold = funcs.filter(({ original }) => original === undefined);
    // Labels at the end of a section have nothing behind them.
    expect(untold.length).toBeLessThan(10);
    await using directory = await temporaryDirectory();
    const head = (await readFile(kernel.vmlinux)).subarray(0, 64).toString("hex");
    await writeFile(join(directory.path, "whole.json"), JSON.stringify({ head, objects }));
    const tree = await ModuleTree.open(kernel.modules);
    const needed = (await Promise.all(Object.keys(MODULES).map((name) => tree.loadOrder(name)))).flat();
    await using vm = await Vm.start({
      image,
      memoryMegabytes: 1536,
      files: [
        ...(await sutureFiles()),
        ...moduleFiles(release, needed),
        { kind: "copy", path: "/whole.json", from: join(directory.path, "whole.json") },
        { kind: "data", path: "/app/program.ts", data: PROGRAM },
      ],
      log: join(directory.path, "guest.log"),
    });
    await vm.run(`mount -t debugfs debugfs /sys/kernel/debug; mount -t tracefs tracefs /sys/kernel/tracing; true`);
    for (const name of Object.keys(MODULES)) await vm.run(`modprobe ${name}`);
    const job = await vm.run("node --no-warnings --max-old-space-size=1000 /app/program.ts", 3600);
    expect(job).toMatchObject({ status: 0 });
    const { problems, proved, notProved } = JSON.parse(job.output) as OriginalsProof;
    expect(problems.map(({ where }) => where)).toEqual([]);
    expect(notProved).toEqual(untold.length === 0 ? [] : [expect.stringContaining(untold[0]?.name ?? "")]);
    expect(Number(/^(\d+) functions/.exec(proved ?? "")?.[1])).toBe(funcs.length - untold.length);
  });
});
