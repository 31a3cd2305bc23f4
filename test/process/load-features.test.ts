import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import { type ProgramLivepatch, readProgramLivepatch } from "../../src/process/loader/livepatch.ts";
import { patchedState } from "../../src/targets/process/look.ts";
import { ProcessTarget } from "../../src/targets/process/process-target.ts";
import { type LivepatchOptions, livepatch, type Program, program } from "../fixtures/patched-program.ts";
import { SERVER_SOURCE, Server } from "./server.ts";

const HEADER = `-I${join(import.meta.dirname, "../../include")}`;
let directory: TemporaryDirectory;
let served: Program;

beforeAll(async () => {
  directory = await temporaryDirectory();
  chmodSync(directory.path, 0o755);
  served = program({ directory: directory.path, name: "served", source: SERVER_SOURCE, flags: [HEADER] });
});

afterAll(async () => {
  await directory[Symbol.asyncDispose]();
});

function made(source: string, options: LivepatchOptions = {}, of = served): ProgramLivepatch {
  const path = livepatch(of, source, options);
  return readProgramLivepatch(readFileSync(path), path);
}

function changed(from: string, to: string, before = ""): string {
  return before + SERVER_SOURCE.replace(from, to);
}

const ANSWER = "return base + scale(n);";
const OTHER = "base += 0; return n + 7;";

test("livepatches stack, and leave in any order", async () => {
  await using server = await Server.start([served.path, "2"]);
  const target = new ProcessTarget(server.pid);
  await target.load(made(changed(ANSWER, "return base + scale(n) + 1000;"), { name: "one" }));
  await target.load(made(changed(ANSWER, "return base + scale(n) + 2000;"), { name: "two" }));
  expect(await server.ask("a1")).toMatch(/^2110 /);
  expect(await target.disable("one")).toMatchObject({ outcome: "done" });
  expect(await target.unload("one")).toMatchObject({ outcome: "done" });
  expect(await server.ask("a1")).toMatch(/^2110 /);
  expect(await target.disable("two")).toMatchObject({ outcome: "done" });
  expect(await server.ask("a1")).toMatch(/^110 /);
});

test("a cumulative livepatch takes the place of those before it, also for functions that it no longer has", async () => {
  await using server = await Server.start([served.path, "2"]);
  const target = new ProcessTarget(server.pid);
  await target.load(made(changed(OTHER, "return n + 70;"), { name: "one" }));
  expect(await server.ask("o1")).toBe("71");
  await target.load(made(changed(ANSWER, "return base + scale(n) + 2000;"), { name: "all", replace: true }));
  expect(await server.ask("o1")).toBe("8");
  expect(await server.ask("a1")).toMatch(/^2110 /);
  expect(await target.unload("one")).toMatchObject({ outcome: "done" });
  expect(patchedState(server.pid)?.core.patches.map(({ name }) => name)).toEqual(["all"]);
});

test("callbacks run in the program, and pre_patch can refuse", async () => {
  await using server = await Server.start([served.path, "2"]);
  const target = new ProcessTarget(server.pid);
  const callbacks = (result: number): string => `#include <suture/livepatch.h>
    extern char text[64];
    static int before(struct klp_object *object) { (void)object; text[40] = 'b'; return ${result}; }
    static void after(struct klp_object *object) { (void)object; text[41] = 'a'; }
    static void gone(struct klp_object *object) { (void)object; text[42] = 'g'; }
    SUTURE_PRE_PATCH(before);
    SUTURE_POST_PATCH(after);
    SUTURE_POST_UNPATCH(gone);
  `;
  const show = "return 1000 + text[40] + text[41] + text[42]; ";
  const refusing = made(changed(OTHER, show, callbacks(-22)), { name: "refusing" });
  expect(await target.load(refusing)).toMatchObject({ outcome: "refused", problems: [{ code: "CALLBACK_REFUSED" }] });
  expect(patchedState(server.pid)).toBeUndefined();
  expect(await server.ask("o1")).toBe("8");
  const willing = made(changed(OTHER, show, callbacks(0)), { name: "willing" });
  expect(await target.load(willing)).toMatchObject({ outcome: "done", notes: [] });
  expect(await server.ask("o1")).toBe(String(1000 + 98 + 97));
  await target.disable("willing");
  await target.enable("willing");
  expect(await server.ask("o1")).toBe(String(1000 + 98 + 97 + 103));
});

test("shadow variables outlive the livepatch that made them, as long as another is loaded", async () => {
  await using server = await Server.start([served.path, "2"]);
  const target = new ProcessTarget(server.pid);
  const counting = (by: number): string =>
    changed(
      OTHER,
      "struct seen *it = seen_get_or_alloc(text, 0); return it ? (int)(it->times += n) : -1;".replace(
        "+= n",
        `+= ${by}`,
      ),
      "#include <suture/livepatch.h>\nextern char text[64];\nstruct seen { int times; };\nSUTURE_SHADOW(seen, 0x5eed, struct seen);\n",
    );
  expect(await target.load(made(counting(1), { name: "first" }))).toMatchObject({ outcome: "done" });
  expect([await server.ask("o1"), await server.ask("o1")]).toEqual(["1", "2"]);
  expect(await target.load(made(counting(10), { name: "second", replace: true }))).toMatchObject({ outcome: "done" });
  await target.unload("first");
  expect(await server.ask("o1")).toBe("12");
});

test("a later livepatch has to know the states of those that it replaces", async () => {
  await using server = await Server.start([served.path, "2"]);
  const target = new ProcessTarget(server.pid);
  const state = "#include <suture/livepatch.h>\nSUTURE_STATE(7, 2);\n";
  await target.load(made(changed(OTHER, "return n + 70;", state), { name: "one" }));
  const ignorant = made(changed(OTHER, "return n + 71;"), { name: "ignorant", replace: true });
  expect(await target.load(ignorant)).toMatchObject({
    outcome: "refused",
    problems: [{ code: "PATCH_NOT_COMPATIBLE" }],
  });
  expect(await server.ask("o1")).toBe("71");
});

test("statically linked and position-dependent programs are patched", async () => {
  for (const linking of [["-static"], ["-no-pie"], ["-static-pie"]]) {
    const flags = linking[0] === "-static-pie" ? [] : ["-fno-pie"];
    const name = `served${linking[0]}`;
    const source = SERVER_SOURCE;
    const kind = program({ directory: directory.path, name, source, linking, flags });
    await using server = await Server.start([kind.path, "2"]);
    const target = new ProcessTarget(server.pid);
    const patch = made(
      changed(ANSWER, "return base + scale(n) + calls * 1000 + (text[0] == 'x');"),
      { name: "fix" },
      kind,
    );
    expect(await target.load(patch), name).toMatchObject({ outcome: "done" });
    expect(await server.ask("a1"), name).toBe("1110 1");
    expect(await target.disable("fix"), name).toMatchObject({ outcome: "done" });
    expect(await target.unload("fix"), name).toMatchObject({ outcome: "done", notes: [] });
    expect(await server.ask("a1"), name).toBe("110 2");
  }
});

test("new code reaches functions and variables by tables of its own; what it refers to directly has to be near", async () => {
  const fresh =
    "int fresh_count = 5;\nint fresh(int n) { return n + fresh_count; }\nint (*chosen)(int) = fresh;\nextern char **environ __attribute__((weak));\n";
  const use = "return (int)strlen(text) + abs(-n) + chosen(n) + fresh_count++ + (environ != NULL);";
  for (const flags of [["-fPIC"], ["-fno-plt", "-fPIC"], ["-O0"], ["-fcf-protection=full"], ["-fno-pie"]]) {
    const isFixed = flags.includes("-fno-pie");
    const linking = [isFixed ? "-no-pie" : "-pie"];
    const kind = program({ directory: directory.path, name: "reaching", source: SERVER_SOURCE, flags, linking });
    await using server = await Server.start([kind.path]);
    const result = await new ProcessTarget(server.pid).load(made(changed(OTHER, use, fresh), {}, kind));
    await server.ask("a123");
    if (isFixed) {
      expect(result).toMatchObject({ outcome: "refused", problems: [{ code: "OUT_OF_REACH" }] });
      expect(await server.ask("o7")).toBe("14");
      continue;
    }
    expect(result, flags.join(" ")).toMatchObject({ outcome: "done" });
    expect([await server.ask("o7"), await server.ask("o7")], flags.join(" ")).toEqual(["28", "30"]);
  }
});

test("a C++ function that nothing is thrown through is patched", async () => {
  const source = `
    #include <cstdio>
    #include <stdexcept>
    #include <string>
    #include <vector>
    struct Shape { virtual ~Shape() = default; virtual int area(int n) const noexcept = 0; };
    struct Square : Shape { int area(int n) const noexcept override; };
    __attribute__((noinline)) int Square::area(int n) const noexcept { return n * n; }
    int main() {
      std::vector<const Shape *> shapes{new Square};
      char line[64];
      setvbuf(stdout, nullptr, _IOLBF, 0);
      puts("ready");
      while (fgets(line, sizeof line, stdin)) {
        try { printf("%d\\n", shapes.at(line[0] - 'a')->area(std::stoi(line + 1))); }
        catch (const std::exception &error) { puts("none"); }
      }
    }
  `;
  const shapes = program({ directory: directory.path, name: "shapes", source, language: "c++" });
  await using server = await Server.start([shapes.path]);
  const target = new ProcessTarget(server.pid);
  expect([await server.ask("a3"), await server.ask("b3")]).toEqual(["9", "none"]);
  const patch = made(source.replace("return n * n;", "return n < 0 ? 0 : n * n + 1;"), {}, shapes);
  expect(await target.load(patch)).toMatchObject({ outcome: "done" });
  expect([await server.ask("a3"), await server.ask("a-3"), await server.ask("b3")]).toEqual(["10", "0", "none"]);
});

const LIBRARY = `
#include <stdio.h>
static __thread int calls;
__thread int visible;
int shared_base = 5;
__attribute__((noinline)) int shared(int n) { calls++; visible += 2; return shared_base + n; }
int shared_calls(void) { return calls * 100 + visible; }
`;

const USER = `
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
	char line[64];
	void *library = NULL;
	int (*shared)(int) = NULL, (*calls)(void) = NULL;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2) return 1;
	puts("ready");
	while (fgets(line, sizeof line, stdin)) {
		switch (line[0]) {
		case 'l':
			library = dlopen(argv[1], RTLD_NOW);
			shared = dlsym(library, "shared");
			calls = dlsym(library, "shared_calls");
			puts("loaded");
			break;
		case 'c': dlclose(library); puts("closed"); break;
		case 's': printf("%d\\n", shared(atoi(line + 1))); break;
		case 't': printf("%d\\n", calls()); break;
		}
	}
}
`;

test("a library is patched where it is loaded, comes, goes and comes back", async () => {
  const library = program({
    directory: directory.path,
    name: "libshared.so",
    source: LIBRARY,
    flags: ["-fPIC"],
    linking: ["-shared"],
  });
  const user = program({ directory: directory.path, name: "user", source: USER });
  const patch = made(
    LIBRARY.replace(
      "return shared_base + n;",
      'static int more = 1; char t[8]; snprintf(t, 8, "%d", calls); return shared_base + n + calls * 1000 + more++;',
    ),
    { name: "lib" },
    library,
  );
  await using server = await Server.start([user.path, library.path]);
  const target = new ProcessTarget(server.pid);
  expect(await target.load(patch)).toMatchObject({ outcome: "refused", problems: [{ code: "OBJECT_NOT_LOADED" }] });
  await server.ask("l");
  expect(await server.ask("s1")).toBe("6");
  expect(await target.load(patch)).toMatchObject({ outcome: "done", problems: [] });
  expect(await server.ask("s1")).toBe("2007");
  expect(await server.ask("s1")).toBe("3008");
  expect(await server.ask("t")).toBe("306");
  await server.ask("c");
  expect(await target.load(patch)).toMatchObject({ outcome: "refused" });
  expect(await target.enable("lib")).toMatchObject({ outcome: "unchanged" });
  expect(patchedState(server.pid)?.core.patches).toMatchObject([{ objects: [], absent: ["libshared.so"] }]);
  expect(await server.ask("l")).toBe("loaded");
  expect(await server.ask("s1")).toBe("6");
  expect(await target.load(patch)).toMatchObject({ outcome: "done", problems: [] });
  expect(await server.ask("s1")).toBe("2007");
  expect(await target.disable("lib")).toMatchObject({ outcome: "done" });
  expect(await server.ask("s1")).toBe("6");
  expect(await target.unload("lib")).toMatchObject({ outcome: "done", notes: [] });
  expect(patchedState(server.pid)).toBeUndefined();
});

test("a fork has what its parent has, and goes its own way", async () => {
  await using server = await Server.start([served.path]);
  const target = new ProcessTarget(server.pid);
  await target.load(made(changed(ANSWER, "return base + scale(n) + 1000;")));
  const child = new ProcessTarget(Number(await server.ask("f")));
  expect(patchedState(child.pid)?.core.layers).toHaveLength(1);
  expect(await child.disable("fix")).toMatchObject({ outcome: "done" });
  expect(await child.unload("fix")).toMatchObject({ outcome: "done", notes: [] });
  expect(await server.ask("a1")).toMatch(/^110 /);
  expect(patchedState(child.pid)).toBeUndefined();
  expect(patchedState(server.pid)?.core.layers).toHaveLength(1);
  process.kill(child.pid, "SIGKILL");
});

test("programs in mount, pid and user namespaces of their own are patched", async () => {
  const worlds = [
    ["unshare", "--mount", "--"],
    ["unshare", "--pid", "--fork", "--mount-proc", "--"],
    ["unshare", "--user", "--map-root-user", "--"],
  ];
  for (const world of worlds) {
    if (!isPossible(world)) continue;
    await using server = await Server.start([...world, served.path, "2"]);
    const pid = world.includes("--fork") ? childOf(server.pid) : server.pid;
    const target = new ProcessTarget(pid);
    expect(await target.load(made(changed(ANSWER, "return base + scale(n) + 1000;"))), world.join(" ")).toMatchObject({
      outcome: "done",
    });
    expect(await server.ask("a1")).toMatch(/^1110 /);
    if (world.includes("--fork")) process.kill(pid, "SIGKILL");
  }
});

test("a setuid program is patched", async () => {
  const path = join(directory.path, "setuid");
  copyFileSync(served.path, path);
  chownSync(path, 65534, 65534);
  chmodSync(path, 0o6755);
  await using server = await Server.start([path, "2"]);
  expect(readFileSync(`/proc/${server.pid}/status`, "utf8")).toMatch(/^Uid:\t0\t65534\t/m);
  const patch = made(changed(ANSWER, "return base + scale(n) + 1000;"));
  expect(await new ProcessTarget(server.pid).load(patch)).toMatchObject({ outcome: "done" });
  expect(await server.ask("a1")).toMatch(/^1110 /);
});

test("a program whose seccomp filter would end it for an mmap is patched, and the filter stays", async () => {
  const filtered = SERVER_SOURCE.replace(
    "#include <stdio.h>",
    `#include <stdio.h>
#include <stddef.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
static void filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { 4, code };
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}`,
  ).replace('puts("ready");', 'puts("ready"); filter();');
  const strict = program({ directory: directory.path, name: "strict", source: filtered });
  await using server = await Server.start([strict.path]);
  const target = new ProcessTarget(server.pid);
  expect(await server.ask("a1")).toMatch(/^110 /);
  const patch = made(filtered.replace(ANSWER, "return base + scale(n) + 1000;"), {}, strict);
  expect(await target.load(patch)).toMatchObject({ outcome: "done" });
  expect(await server.ask("a1")).toMatch(/^1110 /);
  await target.disable("fix");
  expect(await target.unload("fix")).toMatchObject({ outcome: "done", notes: [] });
  expect(readFileSync(`/proc/${server.pid}/status`, "utf8")).toMatch(/^Seccomp:\t2/m);
});

test("a program that denies itself memory that is written and executed is patched", async () => {
  const source = SERVER_SOURCE.replace("#include <stdio.h>", "#include <stdio.h>\n#include <sys/prctl.h>").replace(
    'puts("ready");',
    'puts(prctl(65, 1, 0, 0, 0) == 0 || 1 ? "ready" : "not");',
  );
  const denying = program({ directory: directory.path, name: "denying", source });
  await using server = await Server.start([denying.path]);
  const target = new ProcessTarget(server.pid);
  const patch = made(source.replace(ANSWER, "static int seen; return base + scale(n) + 1000 + seen++;"), {}, denying);
  expect(await target.load(patch)).toMatchObject({ outcome: "done" });
  expect([await server.ask("a1"), await server.ask("a1")]).toEqual(["1110 1", "1111 2"]);
});

function isPossible(world: readonly string[]): boolean {
  try {
    execFileSync(world[0] ?? "", [...world.slice(1), "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function childOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim());
}

test("a livepatch file that is replaced by another of its name is told", async () => {
  await using server = await Server.start([served.path]);
  const target = new ProcessTarget(server.pid);
  await target.load(made(changed(ANSWER, "return base + scale(n) + 1000;")));
  expect(await target.load(made(changed(ANSWER, "return base + scale(n) + 1000;")))).toMatchObject({
    outcome: "unchanged",
  });
  const other = made(changed(ANSWER, "return base + scale(n) + 1001;"));
  expect(await target.load(other)).toMatchObject({ outcome: "refused", problems: [{ code: "ALREADY_LOADED" }] });
});
