/** What a program may keep of a livepatch stays where it is when the livepatch is unloaded, and nothing else does. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import { type ProgramLivepatch, readProgramLivepatch } from "../../src/process/loader/livepatch.ts";
import { patchedState } from "../../src/targets/process/look.ts";
import { ProcessTarget } from "../../src/targets/process/process-target.ts";
import { livepatch, type Program, program } from "../fixtures/patched-program.ts";
import { CaseProgram } from "./case-program.ts";
import { Server } from "./server.ts";

const SOURCE = `
#define _DEFAULT_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ops { int (*run)(int); const char *name; };
static const char running[] = "running";
const char *state = "starting";
int (*hook)(int);
struct ops ops;
const struct ops *volatile current;
static void *(*volatile start)(void *);
static volatile int table[8] = { 5, 3, 8, 1, 9, 2, 7, 4 };

static int plain(int n) { return n * 3; }
__attribute__((noinline)) static int up(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
/* NEW */
__attribute__((noinline)) static void tick(int n) { state = n ? "ticked" : "idle"; hook = (int (*)(int))tick; }
__attribute__((noinline)) void set(int n)
{
	state = running;
	hook = plain;
	table[0] = n;
	/* HERE */
}
static void *nothing(void *arg) { return arg; }

int main(void)
{
	char line[64];
	pthread_t thread;
	hook = plain;
	start = nothing;
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	while (fgets(line, sizeof line, stdin)) {
		int n = atoi(line + 1);
		switch (line[0]) {
		case 's': set(n); puts("set"); break;
		case 'h': printf("%d\\n", hook(n)); break;
		case 'n': printf("%s\\n", state); break;
		case 'c': printf("%d %s\\n", current ? current->run(n) : 0, current ? current->name : "none"); break;
		case 'r': raise(SIGUSR1); puts("raised"); break;
		case 't': pthread_create(&thread, NULL, start, NULL); pthread_join(thread, NULL); puts("joined"); break;
		case 'k': tick(n); puts("armed"); break;
		case 'q': return 0;
		}
	}
	return 0;
}
`;

const HERE = "/* HERE */";
const NEW = "/* NEW */";
let directory: TemporaryDirectory;
let built: Program;

beforeAll(async () => {
  directory = await temporaryDirectory();
  built = program({ directory: directory.path, name: "holder", source: SOURCE });
});

afterAll(async () => {
  await directory[Symbol.asyncDispose]();
});

function made(here: string, fresh = "", name = "fix"): ProgramLivepatch {
  const path = livepatch(built, SOURCE.replace(NEW, fresh).replace(HERE, here), { name });
  return readProgramLivepatch(readFileSync(path), path);
}

/** Loads a livepatch, has it run, and takes it away. */
async function taken(server: Server, fix: ProgramLivepatch, ...questions: readonly string[]) {
  const target = new ProcessTarget(server.pid);
  expect(await target.load(fix)).toMatchObject({ outcome: "done" });
  for (const question of questions) await server.ask(question);
  expect(await target.disable(fix.name)).toMatchObject({ outcome: "done" });
  return await target.unload(fix.name);
}

const FUNCTION = "static int fresh(int n) { return n * 7 + 2; }\n";

describe("what is kept", () => {
  test.each([
    ["the address of a new function", "hook = n > 3 ? fresh : plain;", FUNCTION, "h3", "23"],
    ["the address of a string", 'state = "running, checked";', "", "n", "running, checked"],
    [
      "the address of a constant that holds both",
      "current = &more;",
      `${FUNCTION}static const struct ops more = { fresh, "a fresh one" };\n`,
      "c3",
      "23 a fresh one",
    ],
    [
      "a variable of its own",
      'own.run = fresh; own.name = "mine"; current = &own;',
      `${FUNCTION}static struct ops own;\n`,
      "c4",
      "30 mine",
    ],
    [
      "a handler of signals",
      "signal(SIGUSR1, caught);",
      'static void caught(int n) { (void)n; state = "caught"; }\n',
      "r",
      "raised",
    ],
    [
      "what threads start with",
      "start = begin;",
      "static void *begin(void *arg) { table[1]++; return arg; }\n",
      "t",
      "joined",
    ],
    [
      "what is copied from the stack",
      'struct ops it = { fresh, "copied" }; ops = it; current = &ops;',
      FUNCTION,
      "c5",
      "37 copied",
    ],
  ])("%s", async (_, here, fresh, question, answer) => {
    await using server = await Server.start([built.path]);
    const fix = made(here, fresh);
    expect(fix.metadata.stays).not.toEqual([]);
    expect(await taken(server, fix, "s5")).toMatchObject({ outcome: "done", kept: expect.any(Number) });
    expect(await server.ask(question)).toBe(answer);
    expect(patchedState(server.pid)?.loaded.kept).toMatchObject([{ name: "fix" }]);
    expect(patchedState(server.pid)?.core.patches).toEqual([]);
  });

  test("what runs when the program ends", async () => {
    await using server = await Server.start([built.path]);
    await taken(
      server,
      made("on_exit(last, NULL);", 'static void last(int n, void *it) { (void)n; (void)it; puts("the last"); }\n'),
      "s5",
    );
    expect(await server.ask("q")).toBe("the last");
  });
});

test.each([
  ["a condition", "if (n < 0) table[1] = 0;", ""],
  ["a message", 'if (n > 100) printf("%s %d\\n", "large", n);', ""],
  ["a comparison of strings", 'if (ops.name && strcmp(ops.name, "other") == 0) table[1] = 0;', ""],
  [
    "a function that calls back",
    "qsort((void *)(table + 1), 7, 4, down);",
    "static int down(const void *a, const void *b) { return up(b, a); }\n",
  ],
  ["a counter of its own", "static int times; table[1] = ++times;", ""],
])("nothing is kept of %s", async (_, here, fresh) => {
  await using server = await Server.start([built.path]);
  const fix = made(here, fresh);
  expect(fix.metadata.stays).toEqual([]);
  expect((await taken(server, fix, "s5")).kept).toBeUndefined();
  expect(patchedState(server.pid)).toBeUndefined();
});

test("the next load of the same file has the memory again, with what its variables hold; another file has its own", async () => {
  await using server = await Server.start([built.path]);
  const counting = (by: number) =>
    made(
      "counted += n; hook = fresh;",
      `static int counted;\nstatic int fresh(int n) { return counted + n * ${by}; }\n`,
    );
  const fix = counting(1);
  expect(await taken(server, fix, "s5")).toMatchObject({ kept: 8192 });
  const mapped = () => readFileSync(`/proc/${server.pid}/maps`, "latin1").split("\n").length;
  const before = mapped();
  for (let i = 0; i < 3; i++) expect(await taken(server, fix, "s5")).toMatchObject({ kept: 8192 });
  expect(mapped()).toBe(before);
  expect(await server.ask("h1")).toBe("21");
  expect(await taken(server, counting(2), "s6")).toMatchObject({ kept: 16384 });
  expect(await server.ask("h1")).toBe("8");
  expect(mapped()).toBeGreaterThan(before);
});

test("of a livepatch that is refused nothing stays", async () => {
  await using server = await Server.start([built.path]);
  const target = new ProcessTarget(server.pid);
  expect(await target.load(made("table[2]++;", "", "first"))).toMatchObject({ outcome: "done" });
  const replacing = made("hook = fresh;", FUNCTION, "first");
  expect(await target.load(replacing)).toMatchObject({ outcome: "refused" });
  expect(patchedState(server.pid)?.loaded.kept).toBeUndefined();
});

test("a function that arms itself with its own address runs the old code again after the disable", async () => {
  await using server = await Server.start([built.path]);
  const path = livepatch(built, SOURCE.replace('"ticked"', '"patched"'), { name: "fix" });
  const fix = readProgramLivepatch(readFileSync(path), path);
  const target = new ProcessTarget(server.pid);
  await target.load(fix);
  await server.ask("k1");
  expect(await server.ask("n")).toBe("patched");
  await target.disable("fix");
  await server.ask("h1");
  expect(await server.ask("n")).toBe("ticked");
});

test("stored-pointers: what new code has stored in the program's data leads to it after the unload", async () => {
  using program = new CaseProgram("stored-pointers");
  program.compile("gcc -O2 -g", "main.c", "state.c").shell("gcc -o prog main.o state.o");
  const { result } = program.build("prog");
  expect(JSON.stringify(result)).toContain("STAYS_LOADED");
  await using running = await program.run("./prog");
  const target = new ProcessTarget(running.pid);
  expect(await target.load(program.livepatch())).toMatchObject({ outcome: "done" });
  expect(await running.ask("s")).toBe("state running, checked");
  expect(await target.unload("livepatch_fix")).toMatchObject({ outcome: "done", kept: expect.any(Number) });
  expect(await running.ask("x")).toBe("state running, checked");
  expect(await running.ask("h")).toBe("hook 30");
  expect(await running.ended()).toBe(0);
});

test("self-address: a callback that arms itself is the old one again after the unload, and nothing is kept", async () => {
  using program = new CaseProgram("self-address");
  program.compile("gcc -O2 -g", "tick.c").shell("gcc -o prog tick.o");
  expect(program.build("prog").status).toBe(0);
  await using running = await program.run("./prog");
  const target = new ProcessTarget(running.pid);
  const until = async (start: string): Promise<void> => {
    while (!(await running.line()).startsWith(start));
  };
  await until("tick");
  expect(await target.load(program.livepatch())).toMatchObject({ outcome: "done" });
  await until("patched");
  const unloaded = await target.unload("livepatch_fix");
  expect(unloaded).toMatchObject({ outcome: "done" });
  expect(unloaded.kept).toBeUndefined();
  await until("tick");
  expect(await running.line()).toMatch(/^tick/);
});
