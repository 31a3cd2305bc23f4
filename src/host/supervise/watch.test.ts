import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseRecord } from "../../targets/kernel/kernel-messages.ts";
import { Watch, type WatchOptions } from "./watch.ts";

/** A machine of files: only what is watched. */
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "suture-watch-"));
  mkdirSync(join(root, "dev"));
  mkdirSync(join(root, "proc/pressure"), { recursive: true });
  put("dev/kmsg", "6,1,1000,-;Linux version 6.1\n");
  put("proc/uptime", "1000.00 2000.00\n");
  pressed(0);
});
afterEach(() => rmSync(root, { recursive: true }));

function put(path: string, text: string): void {
  writeFileSync(join(root, path), text);
}

function pressed(percent: number): void {
  for (const resource of ["memory", "io"])
    put(`proc/pressure/${resource}`, `some avg10=9.00 avg60=0\nfull avg10=${percent}.00 avg60=0.00\n`);
}

interface MadeUpTask {
  readonly state?: string;
  /** In clock ticks. */
  readonly started?: number;
  readonly sleeps?: number;
}

function task(pid: number, { state = "S", started = 500, sleeps = 7 }: MadeUpTask = {}): void {
  const stat = `${pid} (a (b) c) ${state} ${"0 ".repeat(18)}${started} 0 0\n`;
  mkdirSync(join(root, `proc/${pid}/task/${pid}`), { recursive: true });
  for (const directory of [`proc/${pid}`, `proc/${pid}/task/${pid}`]) {
    put(`${directory}/stat`, stat);
    put(`${directory}/status`, `Name:\ta\nvoluntary_ctxt_switches:\t${sleeps}\n`);
    put(`${directory}/wchan`, "io_schedule");
  }
}

/** Watches until harm or `ends`, which is told the number of each look before it is made. */
async function harm(each: (look: number) => void, options: Partial<WatchOptions> = {}, pids: readonly number[] = []) {
  let look = 0;
  const onLook = () => each(++look);
  using watch = new Watch({ seconds: 600, root, lookMs: 0, onLook, ...options });
  return await watch.harm(pids.map((pid) => ({ pid, name: "a" })));
}

/** For what is not to be seen: enough looks for everything that could be. */
function nothingIn(looks: number, each: (look: number) => void = () => undefined) {
  const controller = new AbortController();
  return [
    (look: number) => {
      if (look === looks) controller.abort();
      each(look);
    },
    { signal: controller.signal },
  ] as const;
}

describe("a machine that is watched", () => {
  test("is well as long as nothing happens", async () => {
    task(5, { state: "D" });
    expect(await harm(...nothingIn(60))).toBeUndefined();
  });

  test("an oops is harm, with what the kernel printed with it", async () => {
    const seen = await harm((look) => {
      if (look === 3)
        appendFileSync(
          join(root, "dev/kmsg"),
          "1,2,2000,-;BUG: kernel NULL pointer dereference, address: 0\n4,3,2001,-;CPU: 0 PID: 7 Comm: cat\n SUBSYSTEM=x\n",
        );
    });
    expect(seen).toEqual({
      kind: "kernel-log",
      what: "the kernel has printed: BUG: kernel NULL pointer dereference, address: 0",
      evidence: ["CPU: 0 PID: 7 Comm: cat"],
    });
  });

  test("what was printed before the load, by programs, or about something else is none", async () => {
    put("dev/kmsg", "1,1,1000,-;BUG: old\n");
    const appended = (look: number) => {
      if (look === 2) appendFileSync(join(root, "dev/kmsg"), "12,2,2000,-;BUG: a program\n4,3,2001,-;usb 1-1: reset\n");
    };
    expect(await harm(...nothingIn(9, appended))).toBeUndefined();
  });

  test("a patched program that ends is harm, and one that has another's number now as well", async () => {
    task(8);
    expect((await harm((look) => look === 2 && rmSync(join(root, "proc/8"), { recursive: true }), {}, [8]))?.kind).toBe(
      "ended",
    );
    task(8);
    expect((await harm((look) => look === 2 && task(8, { started: 99_999 }), {}, [8]))?.what).toMatch(
      /a \(b\) c \(8\)/,
    );
  });

  test("one that is gone before the first look has ended of it, however short it has run", async () => {
    expect((await harm(() => undefined, {}, [9]))?.what).toBe("a (9), which had the livepatch, has ended");
  });

  test("a program that has just begun may end", async () => {
    task(8, { started: 99_900 });
    const ends = (look: number) => look === 2 && rmSync(join(root, "proc/8"), { recursive: true });
    expect(await harm(...nothingIn(9, ends), [8])).toBeUndefined();
  });

  test("a task that does not wake any more is harm", async () => {
    task(5, { state: "D" });
    const seen = await harm((look) => look === 2 && task(6, { state: "D" }));
    expect(seen).toMatchObject({ kind: "stuck", what: expect.stringMatching(/\(6\) .* io_schedule$/) });
  });

  test("one that wakes now and then is none", async () => {
    const sleeps = (look: number) => task(6, { state: "D", sleeps: look });
    expect(await harm(...nothingIn(60, sleeps))).toBeUndefined();
  });

  test("pressure that lasts is harm, and a moment of it is none", async () => {
    expect((await harm((look) => look === 2 && pressed(70)))?.kind).toBe("pressure");
    pressed(0);
    const moment = (look: number) => pressed(look % 5 === 0 ? 70 : 0);
    expect(await harm(...nothingIn(60, moment))).toBeUndefined();
  });

  test("the health command is asked at the end at the latest, and quoted", async () => {
    expect(await harm(() => undefined, { seconds: 0, health: "true" })).toBeUndefined();
    expect(await harm(() => undefined, { seconds: 0, health: "echo down >&2; exit 3" })).toEqual({
      kind: "health",
      what: "the health command says no: it ended with status 3",
      evidence: ["down"],
    });
  });

  test("a log that cannot be read is said", () => {
    rmSync(join(root, "dev/kmsg"));
    using watch = new Watch({ seconds: 1, root });
    expect(watch.blind).toEqual(["the kernel's log cannot be read, and is not watched"]);
  });
});

test("a record of the kernel's is a line, with its escapes undone", () => {
  expect(parseRecord("4,9,1500000,c;a\\x0ab")).toEqual({ level: 4, seconds: 1.5, text: "a\nb" });
  expect(parseRecord(" DEVICE=+pci:0000")).toBeUndefined();
});
