/** A small threaded server to be patched: it answers on standard output what it reads on standard input, a number a line. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** `answer` is what the tests patch: a static variable, a thread-local one, a library's function and a static function are in reach of it. */
export const SERVER_SOURCE = `
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int base = 100;
static __thread int calls;
static volatile long checked, wrong;
char text[64];

__attribute__((noinline)) static int scale(int n) { base += 0; return n * 10; }
__attribute__((noinline)) int answer(int n)
{
	calls++;
	snprintf(text, sizeof text, "%d", n);
	return base + scale(n);
}
__attribute__((noinline)) int other(int n) { base += 0; return n + 7; }
__attribute__((noinline)) int slow(int n) { usleep(n * 1000); return base + n; }

static void *work(void *arg)
{
	(void)arg;
	for (;;) {
		int got = answer(1);
		if (got % 100 != 10) wrong++;
		checked++;
		usleep(200);
	}
	return NULL;
}

static void *nap(void *arg) { for (;;) slow(*(int *)arg); return NULL; }

int main(int argc, char **argv)
{
	char line[64];
	int threads = argc > 1 ? atoi(argv[1]) : 0;
	static int naps;

	for (int i = 0; i < threads; i++) {
		pthread_t thread;
		pthread_create(&thread, NULL, work, NULL);
	}
	if (argc > 2) {
		pthread_t thread;
		naps = atoi(argv[2]);
		pthread_create(&thread, NULL, nap, &naps);
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	while (fgets(line, sizeof line, stdin)) {
		int n = atoi(line + 1);
		switch (line[0]) {
		case 'a': n = answer(n); printf("%d %d\\n", n, calls); break;
		case 'o': printf("%d\\n", other(n)); break;
		case 's': printf("%d\\n", slow(n)); break;
		case 'w': printf("%ld %ld\\n", checked, wrong); break;
		case 'f':
			if (fork() == 0) { printf("%d\\n", getpid()); }
			else pause();
			break;
		}
	}
	return 0;
}
`;

/** The same as a build that nobody else on the machine has, so that no other daemon patches it. @param whose a path of its own */
export function ownSource(whose: string): string {
  return `${SERVER_SOURCE}const char whose[] __attribute__((used)) = ${JSON.stringify(whose)};\n`;
}

/**
 * Starts a command as a child of its own: what ptrace says of our own children,
 * Node takes for their end.
 */
const STARTER = 'exec 3<&0; "$@" <&3 3<&- & echo $!; exec 3<&-; wait';

export class Server implements AsyncDisposable {
  readonly pid: number;
  readonly #starter: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(starter: ChildProcess, lines: AsyncIterator<string>, pid: number) {
    this.#starter = starter;
    this.#lines = lines;
    this.pid = pid;
  }

  /** @param command the program and its arguments, maybe behind a program that starts it in another world */
  static async start(command: readonly string[]): Promise<Server> {
    const starter = spawn("sh", ["-c", STARTER, "sh", ...command], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: starter.stdout })[Symbol.asyncIterator]();
    // Both write their first line when they come to it.
    const said = [await nextLine(lines), await nextLine(lines)];
    const pid = Number(said.find((line) => line !== "ready"));
    if (!said.includes("ready") || !Number.isSafeInteger(pid)) throw new Error(`the server says ${said.join(", ")}`);
    return new Server(starter, lines, pid);
  }

  /** Asks and gives the line that is answered. */
  async ask(question: string): Promise<string> {
    this.#starter.stdin?.write(`${question}\n`);
    return await nextLine(this.#lines);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#starter.exitCode !== null) return;
    const ended = once(this.#starter, "exit");
    try {
      process.kill(this.pid, "SIGKILL");
    } catch {
      // It has ended already.
    }
    await ended;
  }
}

async function nextLine(lines: AsyncIterator<string>): Promise<string> {
  const { value, done } = await lines.next();
  if (done === true) throw new Error("the server has ended");
  return value;
}
