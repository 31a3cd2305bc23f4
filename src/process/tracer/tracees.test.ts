import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MadeUpOs } from "./made-up-os.fixture.ts";
import type { Tracee } from "./tracee.ts";
import { Tracees } from "./tracees.ts";

const PID = 100;
const PATIENCE = 50;
const SIGUSR1 = 10;
const SIGTERM = 15;

function traced(...tids: readonly number[]): { os: MadeUpOs; tracees: Tracees } {
  const os = new MadeUpOs();
  for (const tid of tids) os.add(tid, PID);
  return { os, tracees: new Tracees(PID, os) };
}

function tracee(tracees: Tracees, tid: number): Tracee {
  const found = tracees.all.get(tid);
  if (found === undefined) throw new Error(`thread ${tid} is not traced`);
  return found;
}

const kinds = (tracees: Tracees): string[] => [...tracees.all.values()].map(({ state }) => state.kind);
const stopPoint = { mostPushed: 0, [Symbol.dispose]() {} };

test("all threads stand still in a stop, and run on after it", () => {
  const { os, tracees } = traced(100, 101, 102);
  tracees.stopAll(PATIENCE);
  expect(kinds(tracees)).toEqual(["stopped", "stopped", "stopped"]);
  expect([...os.threads.values()].map(({ mode }) => mode)).toEqual(["in a stop", "in a stop", "in a stop"]);
  tracees.resumeAll();
  expect([...os.threads.values()].map(({ mode }) => mode)).toEqual(["running", "running", "running"]);
});

test("threads that are born while others stop are stopped too", () => {
  const { os, tracees } = traced(100, 101);
  os.thread(101).mode = "asleep";
  os.whileWaiting = () => {
    os.whileWaiting = () => {};
    os.add(102, PID);
    os.wake(101);
  };
  tracees.stopAll(PATIENCE);
  expect([...tracees.all.keys()]).toEqual([100, 101, 102]);
  expect(kinds(tracees)).toEqual(["stopped", "stopped", "stopped"]);
});

test("processes that share the memory are stopped too", () => {
  const { os, tracees } = traced(100);
  os.add(200, 200);
  os.sharers = [200];
  tracees.stopAll(PATIENCE);
  expect(kinds(tracees)).toEqual(["stopped", "stopped"]);
  expect(tracee(tracees, 200).pid).toBe(200);
});

describe("signals", () => {
  test("are passed on without having been taken from the kernel", () => {
    const { os, tracees } = traced(100);
    os.send(100, SIGUSR1);
    expect(os.look(100, false)).toEqual({ kind: "signal", signal: SIGUSR1 });
    const { wait } = os;
    os.wait = () => {
      throw new Error("the signal was taken");
    };
    tracees.collect();
    os.wait = wait;
    expect(os.thread(100).delivered).toEqual([SIGUSR1]);
    expect(tracees.signals).toBe(1);
  });

  test("that come while a thread is stopped reach the program once", () => {
    const { os, tracees } = traced(100);
    tracees.stopAll(PATIENCE);
    os.send(100, SIGUSR1);
    os.send(100, SIGTERM);
    tracees.resumeAll();
    for (let round = 0; round < 4; round++) tracees.collect();
    expect(os.thread(100).delivered).toEqual([SIGUSR1, SIGTERM]);
  });

  test("that a thread stops for when it was asked to stop are delivered before it stands still", () => {
    const { os, tracees } = traced(100);
    os.send(100, SIGUSR1);
    tracees.stopAll(PATIENCE);
    expect(os.thread(100).delivered).toEqual([SIGUSR1]);
    expect(kinds(tracees)).toEqual(["stopped"]);
  });

  test("are delivered when the tracing ends", () => {
    const { os, tracees } = traced(100);
    os.send(100, SIGUSR1);
    tracees[Symbol.dispose]();
    expect(os.thread(100)).toMatchObject({ delivered: [SIGUSR1], isTraced: false, mode: "running" });
  });
});

test("a thread that nothing wakes is named, and the others run on", () => {
  const { os, tracees } = traced(100, 101);
  os.thread(101).mode = "asleep";
  expect(() => tracees.stopAll(PATIENCE)).toThrow(expect.objectContaining({ code: "STOP_TIMEOUT", task: 101 }));
  tracees.resumeAll();
  expect(os.thread(100).mode).toBe("running");
});

test("one that could not be stopped, and wakes later, is stopped then", () => {
  const { os, tracees } = traced(100);
  os.thread(100).mode = "asleep";
  expect(() => tracees.stopAll(PATIENCE)).toThrow();
  os.wake(100);
  tracees.stopAll(PATIENCE);
  expect(kinds(tracees)).toEqual(["stopped"]);
});

describe("job control", () => {
  test("keeps a process stopped that it has stopped, also after a stop of ours", () => {
    const { os, tracees } = traced(100);
    os.stopByJobControl(PID);
    tracees.collect();
    expect(os.thread(100).mode).toBe("listening");
    tracees.stopAll(PATIENCE);
    expect(tracee(tracees, 100).state).toMatchObject({ kind: "stopped", byJobControl: true });
    tracees.resumeAll();
    expect(os.thread(100).mode).toBe("listening");
  });

  test("lets it go on", () => {
    const { os, tracees } = traced(100);
    os.stopByJobControl(PID);
    tracees.collect();
    os.continueByJobControl(PID);
    tracees.collect();
    expect(os.thread(100).mode).toBe("running");
  });
});

describe("a thread that ends", () => {
  test("is told once", () => {
    const { os, tracees } = traced(100, 101);
    os.end(101);
    tracees.collect();
    expect([tracees.takeDied(), tracees.takeDied()]).toEqual([101, undefined]);
    expect([...tracees.all.keys()]).toEqual([100]);
  });

  test("as the first one, before the others, is there and needs no stop, and is told of when they have ended", () => {
    const { os, tracees } = traced(100, 101);
    os.end(100);
    tracees.stopAll(PATIENCE);
    expect(kinds(tracees)).toEqual(["ended", "stopped"]);
    tracees.resumeAll();
    os.end(101);
    tracees.collect();
    tracees.collect();
    expect(tracees.gone).toBe("it exited with 0");
    expect(tracees.all.size).toBe(0);
  });
});

test("after exec by another thread the process is another one, and nothing of it is traced", () => {
  const { os, tracees } = traced(100, 101, 102);
  os.exec(101);
  tracees.collect();
  expect(tracees.gone).toBe("it runs another program now (exec)");
  expect(tracees.all.size).toBe(0);
  expect(os.thread(100)).toMatchObject({ isTraced: false, mode: "running" });
});

describe("a thread that comes to its stop point", () => {
  function watched(): { os: MadeUpOs; tracees: Tracees; thread: Tracee } {
    const { os, tracees } = traced(100, 101);
    const thread = tracee(tracees, 100);
    tracees.stopAll(PATIENCE);
    thread.watch(stopPoint);
    tracees.resumeAll();
    return { os, tracees, thread };
  }

  test("stands there, is told of once, and is not let go with the others", () => {
    const { os, tracees, thread } = watched();
    os.arriveAtStopPoint(100);
    tracees.collect();
    expect([thread.hearOfArrival(), thread.hearOfArrival()]).toEqual([true, false]);
    tracees.stopAll(PATIENCE);
    tracees.resumeAll();
    expect([...os.threads.values()].map(({ mode }) => mode)).toEqual(["in a stop", "running"]);
    thread.letGo();
    expect(os.thread(100).mode).toBe("running");
    expect(os.thread(100).delivered).toEqual([]);
  });

  test("is not told of once it is not watched any more, and goes on with the others", () => {
    const { os, tracees, thread } = watched();
    os.arriveAtStopPoint(100);
    tracees.collect();
    thread.unwatch();
    expect(thread.hearOfArrival()).toBe(false);
    tracees.resumeAll();
    expect(os.thread(100).mode).toBe("running");
  });

  test("is told of when it stands there, also where it was asked to stop ahead and is not needed any more", () => {
    const { os, tracees, thread } = watched();
    os.thread(100).mode = "asleep";
    tracees.ask(thread);
    const told: boolean[] = [];
    // It comes to the stop point, and is on its way into the stop in which it counts as stopped.
    os.thread(100).isInterrupted = false;
    os.thread(100).mode = "running";
    os.arriveAtStopPoint(100);
    const { interrupt } = os;
    os.interrupt = () => 0;
    tracees.collect();
    told.push(thread.hearOfArrival());
    tracees.letAskedGo();
    os.interrupt = interrupt;
    os.interrupt(100);
    tracees.collect();
    told.push(thread.hearOfArrival());
    expect(told).toEqual([false, true]);
    expect(os.thread(100).mode).toBe("in a stop");
  });

  test("forgets the signals that are on their way, and stands still again", () => {
    const { os, tracees, thread } = watched();
    tracees.stopAll(PATIENCE);
    os.arriveAtStopPoint(100);
    os.send(100, SIGUSR1);
    tracees.forgetTraps();
    expect(thread.state.kind).toBe("stopped");
    tracees.resumeAll();
    tracees.collect();
    expect(os.thread(100).delivered).toEqual([SIGUSR1]);
  });
});

describe("one that is asked to stop ahead", () => {
  test("stands when it is needed", () => {
    const { tracees } = traced(100);
    tracees.ask(tracee(tracees, 100));
    expect(tracees.stop(tracee(tracees, 100), PATIENCE)).toBe(true);
  });

  test("is let go where it is not", () => {
    const { os, tracees } = traced(100);
    tracees.ask(tracee(tracees, 100));
    tracees.collect();
    tracees.letAskedGo();
    expect(os.thread(100).mode).toBe("running");
    expect(kinds(tracees)).toEqual(["running"]);
  });
});

test("a system call that the stop has interrupted is left to the kernel's rule for restarting before the thread goes on, once", () => {
  const { os, tracees } = traced(100);
  const requests: string[] = [];
  const { writeRegisters, resume } = os;
  os.writeRegisters = (tid, registers) => {
    requests.push("write registers");
    return writeRegisters.call(os, tid, registers);
  };
  os.resume = (tid, way, signal) => {
    requests.push(way);
    return resume.call(os, tid, way, signal);
  };
  os.isInInterruptedCall = true;
  tracees.stopAll(PATIENCE);
  tracee(tracees, 100).registers();
  tracees.resumeAll();
  expect(requests).toEqual(["write registers", "run"]);
});

/** What may happen to a process of three threads, and what we do. */
const happening = fc.oneof(
  fc.record({
    kind: fc.constant("signal"),
    tid: fc.integer({ min: 100, max: 102 }),
    signal: fc.constantFrom(10, 12, 15),
  }),
  fc.record({
    kind: fc.constantFrom("sleep", "wake", "end"),
    tid: fc.integer({ min: 100, max: 102 }),
    signal: fc.constant(0),
  }),
  fc.record({
    kind: fc.constantFrom("stopAll", "collect", "ask", "letAskedGo", "pause", "continue"),
    tid: fc.integer({ min: 100, max: 102 }),
    signal: fc.constant(0),
  }),
);

test("whatever happens in whichever order: no signal is taken and kept, none is lost or comes twice, and in the end nothing is traced", () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 40 }), (steps) => {
      const { os, tracees } = traced(100, 101, 102);
      const everyone = [...os.threads.values()];
      const sent = new Map<number, number[]>(everyone.map(({ tid }) => [tid, []]));
      const dead = new Set<number>();
      for (const { kind, tid, signal } of steps) {
        const thread = os.threads.get(tid);
        const isAlive = thread !== undefined && thread.mode !== "zombie";
        if (kind === "signal" && isAlive) {
          sent.get(tid)?.push(signal);
          os.send(tid, signal);
        } else if (kind === "sleep" && thread?.mode === "running") thread.mode = "asleep";
        else if (kind === "wake" && thread?.mode === "asleep") os.wake(tid);
        else if (kind === "end" && thread?.mode === "running") {
          dead.add(tid);
          os.end(tid);
        } else if (kind === "pause") os.stopByJobControl(PID);
        else if (kind === "continue") os.continueByJobControl(PID);
        else if (kind === "collect") tracees.collect();
        else if (kind === "letAskedGo") tracees.letAskedGo();
        else if (kind === "ask" && tracees.all.has(tid)) tracees.ask(tracee(tracees, tid));
        else if (kind === "stopAll" && tracees.gone === undefined) {
          try {
            tracees.stopAll(PATIENCE);
            for (const each of os.threads.values()) if (each.mode !== "zombie") expect(each.mode).toBe("in a stop");
          } catch (error) {
            expect(error).toMatchObject({ code: "STOP_TIMEOUT" });
          }
          tracees.resumeAll();
        }
        expect(os.taken).toEqual([]);
      }
      for (const { tid, mode } of os.threads.values()) if (mode === "asleep") os.wake(tid);
      os.continueByJobControl(PID);
      tracees[Symbol.dispose]();
      expect([...os.threads.values()].filter(({ isTraced, mode }) => isTraced && mode !== "zombie")).toEqual([]);
      for (const thread of everyone)
        if (!dead.has(thread.tid))
          expect([...thread.delivered, ...thread.pending].toSorted()).toEqual(sent.get(thread.tid)?.toSorted());
    }),
  );
});
