/** What `suture` says of input that is no good: a code, an exit code of 1 or 2, and nothing left behind. */
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { sealed } from "../src/patch/digest.ts";
import type { Kernel } from "../src/provider/kernel/kernel.ts";
import { newestKernel } from "./fixtures/newest-kernel.ts";
import { Places, type Said } from "./fixtures/places.ts";
import { type Edit, sourceDiff } from "./kernel/source-diffs.ts";

const VERSION = "fs/proc/version.c";
const SAYS = "	seq_printf(m, linux_proc_banner,";
const FIX: Edit = [VERSION, SAYS, `	seq_puts(m, "patched ");\n${SAYS}`];
let kernel: Kernel;
let places: Places;

beforeAll(async () => {
  kernel = await newestKernel("6.1");
});
beforeEach(() => {
  places = new Places({ kernel });
});
afterEach(() => places[Symbol.dispose]());

function build(diff: string, env: NodeJS.ProcessEnv = {}, more: readonly string[] = []): Said {
  writeFileSync(join(places.cwd, "a.patch"), diff, "latin1");
  return places.run(["build", "--kernel", kernel.release, ...more, "a.patch"], env);
}

function edited(...edits: readonly Edit[]): string {
  return sourceDiff(kernel, edits);
}

async function expectEnd({ status, stdout, stderr }: Said, exit: number, words: string): Promise<void> {
  expect(stderr).toContain(words);
  expect([status, stdout]).toEqual([exit, ""]);
  expect(await places.leftBehind(["a.patch"])).toEqual([]);
}

describe("a diff that cannot be used", () => {
  test("it does not apply", async () => {
    const said = build(edited(FIX).replace(SAYS, `${SAYS} /* other */`));
    await expectEnd(said, 1, "DIFF_DOES_NOT_APPLY: ");
    expect(said.stderr).toContain(`a.patch: ${VERSION}, hunk 1 of 1, line `);
  });

  test("it has a fuzzy hunk", async () => {
    const context = "static int version_proc_show";
    await expectEnd(build(edited(FIX).replace(context, `${context}_of_old`)), 1, "DIFF_FUZZY: ");
  });

  test("it is no diff", async () => {
    await expectEnd(build("words\n"), 1, "DIFF_EMPTY: ");
  });

  test("it changes a file that this source does not have", async () => {
    await expectEnd(build(edited(FIX).replaceAll("version.c", "never.c")), 1, "FILE_NOT_IN_SOURCE: ");
  });

  test("it does not compile: the compiler's own words, and what to bring along", async () => {
    const said = build(edited([VERSION, SAYS, `	suture_test_never();\n${SAYS}`]));
    await expectEnd(said, 2, `DOES_NOT_COMPILE: ${VERSION} `);
    expect(said.stderr).toContain("implicit declaration of function 'suture_test_never'");
    expect(said.stderr).toContain("bring along the headers");
  });
});

describe("a diff that changes what no livepatch can carry, beside a change that one could", () => {
  test.each([
    ["ASSEMBLY_CHANGED", "arch/x86/entry/entry_64.S", "SYM_CODE_START(entry_SYSCALL_64)"],
    ["KCONFIG_CHANGED", "init/Kconfig", "config CC_IS_GCC"],
    ["MAKEFILE_CHANGED", "kernel/Makefile", "obj-y", "ccflags-y += -DSUTURE_TEST\n"],
    ["VDSO_CHANGED", "arch/x86/entry/vdso/vgetcpu.c", "#include <linux/kernel.h>"],
  ])("%s: %s", async (code, path, from, more = "\n") => {
    await expectEnd(build(edited(FIX, [path, from, `${more}${from}`])), 2, `${code}: ${path} `);
  });

  test("DATA_LAYOUT_CHANGED: the members that moved are named", async () => {
    const member: Edit = ["fs/eventpoll.c", "	struct mutex mtx;\n", "	u64 suture_test;\n	struct mutex mtx;\n"];
    const use: Edit = [
      "fs/eventpoll.c",
      "	mutex_init(&ep->mtx);\n",
      "	mutex_init(&ep->mtx);\n	ep->suture_test = 1;\n",
    ];
    const said = build(edited(FIX, member, use));
    await expectEnd(said, 2, "DATA_LAYOUT_CHANGED: ");
    expect(said.stderr).toMatch(/struct eventpoll\b/);
    expect(said.stderr).toMatch(/\bmtx\b/);
    expect(said.stderr).toContain("shadow variable");
    // A file that does not compile hides nothing of what others are refused for.
    const both = build(edited([VERSION, SAYS, `	suture_test_never();\n${SAYS}`], member, use));
    await expectEnd(both, 2, "DOES_NOT_COMPILE: ");
    expect(both.stderr).toMatch(/DATA_LAYOUT_CHANGED: struct eventpoll\b/);
  });
});

test("a compiler that is not the kernel's: both are named, and the package that has it", async () => {
  // Where the machine is of another release than the kernel, its compiler is kept there.
  rmSync(join(places.cache, "toolchains"), { recursive: true });
  const other = join(places.cwd, "other");
  mkdirSync(other);
  for (const name of ["gcc", "gcc-12", "x86_64-linux-gnu-gcc-12"]) {
    writeFileSync(join(other, name), "#!/bin/sh\necho 'gcc-12 (Debian 12.2.0-0never) 12.2.0'\n");
    chmodSync(join(other, name), 0o755);
  }
  const { status, stdout, stderr } = build(edited(FIX), { PATH: `${other}:${process.env["PATH"]}` });
  expect(stderr).toContain(`WRONG_COMPILER: the kernel was built with another compiler: ${kernel.compilerText}`);
  expect(stderr).toContain("is gcc-12 (Debian 12.2.0-0never) 12.2.0");
  expect(stderr).toMatch(/apt-get install gcc-\d+=/);
  expect([status, stdout]).toEqual([1, ""]);
  expect(await places.leftBehind(["a.patch", "other"])).toEqual([]);
});

describe("a livepatch in hand", () => {
  const FILE = "livepatch-a.ko";
  let livepatch: Buffer;

  beforeAll(() => {
    using building = new Places({ kernel });
    writeFileSync(join(building.cwd, "a.patch"), edited(FIX), "latin1");
    const said = building.run(["build", "--kernel", kernel.release, "a.patch"]);
    expect(said).toMatchObject({ status: 0, stderr: expect.stringContaining("link") });
    livepatch = readFileSync(join(building.cwd, FILE));
  });
  beforeEach(() => {
    writeFileSync(join(places.cwd, "a.patch"), edited(FIX), "latin1");
    writeFileSync(join(places.cwd, FILE), livepatch);
  });

  test("one for another kernel is refused before anything boots", async () => {
    const [last = ""] = kernel.release.match(/\d(?=-cloud)/) ?? [];
    const other = kernel.release.replace(`${last}-cloud`, `${(Number(last) + 1) % 10}-cloud`);
    const bytes = readFileSync(join(places.cwd, FILE), "latin1");
    writeFileSync(join(places.cwd, FILE), sealed(Buffer.from(bytes.replaceAll(kernel.release, other), "latin1")));
    const { status, stdout, stderr } = places.run(["rehearse", "--kernel", kernel.release, FILE]);
    expect(stderr).toMatch(/^WRONG_KERNEL: /m);
    expect(stderr).toContain(other);
    expect([status, stdout]).toEqual([2, ""]);
    expect(await places.leftBehind(["a.patch", FILE])).toEqual([]);
  });

  test("the program that runs the virtual machine is missing: its package is named", async () => {
    const programs = join(places.cwd, "bin");
    mkdirSync(programs);
    for (const directory of ["/usr/bin", "/usr/sbin"]) {
      for (const name of readdirSync(directory)) {
        if (!name.startsWith("qemu-system-") && name !== "[") symlinkOnce(join(directory, name), join(programs, name));
      }
    }
    const { status, stdout, stderr } = places.run(["rehearse", FILE], { PATH: programs });
    expect(stderr).toContain("PROGRAM_MISSING: the program qemu-system-x86_64 is needed and is not there");
    expect(stderr).toContain("apt-get install qemu-system-x86");
    expect([status, stdout]).toEqual([1, ""]);
    expect(await places.leftBehind(["a.patch", "bin", FILE])).toEqual([]);
  });

  test("a log that cannot be written", async () => {
    const { status, stdout, stderr } = places.run(["rehearse", "--log", "no/such.log", FILE]);
    expect(stderr).toContain("OUTPUT_NOT_WRITABLE: cannot write the log: ENOENT\n  no/such.log");
    expect([status, stdout]).toEqual([1, ""]);
    expect(await places.leftBehind(["a.patch", FILE])).toEqual([]);
  });

  test.each([0, 1, 63, 64, 4096])(
    "the first %d bytes of one are none, to every command that reads one",
    async (length) => {
      truncateSync(join(places.cwd, FILE), length);
      for (const args of [["explain"], ["rehearse", "--kernel", kernel.release], ["object-diff", FILE]]) {
        const { status, stdout, stderr } = places.run([...args, FILE]);
        expect(stderr).toMatch(/^[A-Z_]+: /m);
        expect(stderr).toContain(FILE);
        expect(stderr).not.toContain("INTERNAL");
        expect([status, stdout]).toEqual([1, ""]);
      }
      expect(await places.leftBehind(["a.patch", FILE])).toEqual([]);
    },
  );
});

test("a vmlinux that is cut off makes no kernel", async () => {
  const vmlinux = join(places.cwd, "vmlinux");
  writeFileSync(vmlinux, readFileSync(kernel.vmlinux).subarray(0, 1 << 20));
  writeFileSync(join(places.cwd, "a.patch"), edited(FIX), "latin1");
  const parts = [
    "--source",
    kernel.source,
    "--headers",
    kernel.source,
    "--vmlinux",
    vmlinux,
    "--modules",
    kernel.modules,
  ];
  const { status, stdout, stderr } = places.run(["build", ...parts, "a.patch"]);
  expect(stderr).toMatch(/^[A-Z_]+: /m);
  expect(stderr).toContain(vmlinux);
  expect(stderr).not.toContain("INTERNAL");
  expect([status, stdout]).toEqual([1, ""]);
  expect(await places.leftBehind(["a.patch", "vmlinux"])).toEqual([]);
  expect(readdirSync(join(places.cache, "kernels"))).toEqual([kernel.release]);
});

function symlinkOnce(target: string, path: string): void {
  try {
    symlinkSync(target, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}
