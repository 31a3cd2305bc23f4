import { copyFileSync, cpSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { expect, test, vi } from "vitest";
import { Cache } from "../../lib/cache.ts";
import { run } from "../../lib/run.ts";
import { temporaryDirectory } from "../../lib/temp.ts";
import { carryLibraries, neverRan, startsHere, writeCarriedScript } from "./carried-libraries.ts";
import { findCompiler, linkingCompiler, toolchainEntry } from "./compiler.ts";
import { packagedCompiler } from "./compiler-names.ts";
import { layOutGcc } from "./unpacked-gcc.ts";

const said = async (program: string, ...args: string[]) => (await run(program, args, { check: true })).stdout.trim();

/** Copies the libraries that a program is run with here, and its dynamic linker, to a directory. */
async function copyLibraries(program: string, into: string, which = /./): Promise<void> {
  mkdirSync(into, { recursive: true });
  for (const [path] of (await said("ldd", program)).matchAll(/\/\S+/g)) {
    if (which.test(path)) copyFileSync(path, join(into, basename(path)));
  }
}

/** The machine's gcc with all that it needs, as its packages would be unpacked below `root`. */
async function unpackMachines(root: string) {
  const [multiarch, major] = [await said("gcc", "-dumpmachine"), await said("gcc", "-dumpversion")];
  const compiler = await said("gcc", "-print-prog-name=cc1");
  const headers = dirname(await said("gcc", "-print-file-name=include/stddef.h"));
  for (const path of [`/usr/bin/${multiarch}-gcc-${major}`, compiler, `/usr/bin/${multiarch}-as`]) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    copyFileSync(path, join(root, path));
    await copyLibraries(path, join(root, `usr/lib/${multiarch}`));
  }
  cpSync(headers, join(root, `usr/lib/gcc/${multiarch}/${major}/include`), { recursive: true });
  return { root, multiarch, major };
}

test("gcc out of packages makes the objects that it makes where it is installed, wherever its directory is moved to", async () => {
  await using directory = await temporaryDirectory();
  const at = (path: string): string => join(directory.path, path);
  const unpacked = await unpackMachines(at("root"));
  const cache = new Cache(at("cache"));
  const text = (await said("gcc", "--version")).split("\n", 1)[0] ?? "";
  const wanted = packagedCompiler(text);
  if (wanted === undefined) throw new Error(`${text} is of no package`);
  await toolchainEntry(cache, wanted).makeDirectory((path) => layOutGcc(unpacked, path));
  // Nothing of the machine's own is to be found by it.
  renameSync(at("root"), at("gone"));
  vi.stubEnv("PATH", at("no-programs"));
  const compiler = await findCompiler({ compilerText: text }, cache);
  vi.unstubAllEnvs();
  expect(compiler).toMatchObject({ path: join(toolchainEntry(cache, wanted).path, "bin/gcc"), objectsOnly: true });
  expect(linkingCompiler(compiler)).toMatch(/^\/usr\/.*gcc$/);
  writeFileSync(at("a.c"), '#include <stddef.h>\nasm("nop");\nint f(size_t n, char *p) { return p[n % 7] * 3; }\n');
  const compile = async (path: string, object: string) => {
    const files = ["-c", "-o", at(object), "a.c"];
    await run(path, ["-O2", "-nostdinc", "-isystem", await said(path, "-print-file-name=include"), ...files], {
      cwd: directory.path,
      check: true,
    });
    return readFileSync(at(object));
  };
  expect(await compile(compiler.path, "a.o")).toEqual(await compile("gcc", "b.o"));
  expect(await said(compiler.path, "-print-prog-name=as")).toContain(directory.path);
  writeFileSync(join(toolchainEntry(cache, wanted).path, "usr/bin/as"), "");
  vi.stubEnv("PATH", at("no-programs"));
  await expect(findCompiler({ compilerText: text }, cache)).rejects.toMatchObject({ code: "CACHE_DAMAGED" });
  vi.unstubAllEnvs();
});

test("a program that asks for what this machine has not got is seen before it is run, and runs with what it brings", async () => {
  await using directory = await temporaryDirectory();
  const at = (path: string): string => join(directory.path, path);
  mkdirSync(at("system"));
  writeFileSync(at("library.c"), "int answer(void) { return 42; }\n");
  writeFileSync(at("program.c"), "int answer(void);\nint main(void) { return answer(); }\n");
  await run("gcc", ["-shared", "-fPIC", "-o", at("system/libsuture-test.so"), at("library.c")], { check: true });
  await run("gcc", ["-o", at("program"), at("program.c"), `-L${at("system")}`, "-lsuture-test"], { check: true });
  await copyLibraries("/bin/true", at("system"));
  expect([await startsHere("/bin/true"), await startsHere(at("program"))]).toEqual([true, false]);
  const alone = await run(at("program"), []);
  expect(neverRan(alone)).toBe(true);
  const carried = await carryLibraries([at("program")], [at("none"), at("system")], at("kernel/libraries"));
  mkdirSync(at("kernel/tools"));
  renameSync(at("program"), at("kernel/tools/program.elf"));
  await writeCarriedScript(carried, { script: at("kernel/tools/program"), program: at("kernel/tools/program.elf") });
  renameSync(at("kernel"), at("moved"));
  const ran = await run(at("moved/tools/program"), []);
  expect([ran.exitCode, ran.stderr, neverRan(ran)]).toEqual([42, "", false]);
  renameSync(at("moved/libraries"), at("moved/elsewhere"));
  expect(neverRan(await run(at("moved/tools/program"), []))).toBe(true);
});

test("libraries that are not there are named", async () => {
  await using directory = await temporaryDirectory();
  await copyLibraries("/bin/true", join(directory.path, "system"), /ld-linux/);
  const carry = carryLibraries(["/bin/true"], [join(directory.path, "system")], join(directory.path, "into"));
  await expect(carry).rejects.toMatchObject({ code: "TOOL_DOES_NOT_START", where: "/bin/true" });
});
