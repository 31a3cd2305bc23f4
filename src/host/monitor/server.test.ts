import { request } from "node:http";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { LiveLivepatch } from "../status/live.ts";
import type { MachineState } from "../status/machine.ts";
import { MonitorServer, type MonitorSources } from "./server.ts";
import { Transitions } from "./transitions.ts";

const live = (more: Partial<LiveLivepatch> = {}): LiveLivepatch => ({
  name: "livepatch_fix",
  where: "Linux 6.1",
  isKernel: true,
  state: "enabled",
  isForced: false,
  pids: [],
  holders: [],
  ...more,
});

const holder = { tid: 7, name: "cat", why: "inside pipe_read at frame 2" };
const machine: MachineState = {
  kernel: "Linux 6.1",
  live: [
    live({ state: "enabling", holders: [holder] }),
    live({ name: 'odd"name', where: "redis\nserver", isKernel: false, pids: [5, 6] }),
  ],
  installed: undefined,
  unknown: undefined,
  fixes: [],
  harm: { at: 5000, boot: "b", verb: "revert", patch: "p", target: "t", outcome: "reversed", pids: [] },
  newer: [],
  damaged: [],
  hidden: 1,
};
const DIGEST = "a".repeat(64);

const DIFFS = ["-a\n+b\n"];
let server: MonitorServer;
let fails: Error | undefined;

const sources: MonitorSources = {
  async look() {
    if (fails !== undefined) throw fails;
    return { machine, document: { kernel: machine.kernel } };
  },
  history: async () => [{ verb: "load" }],
  explain: async (digest) => (digest === DIGEST ? { lines: ["livepatch_fix", "  why"], diffs: DIFFS } : undefined),
};

beforeEach(async () => {
  fails = undefined;
  server = await MonitorServer.start(0, sources);
});
afterEach(async () => await server[Symbol.asyncDispose]());

interface Got {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

async function get(path: string, { host = `127.0.0.1:${server.port}`, method = "GET" } = {}): Promise<Got> {
  return await new Promise((resolve, reject) => {
    const asked = request({ port: server.port, path, method, headers: { host } }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (body += chunk));
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body }));
    });
    asked.once("error", reject);
    asked.end();
  });
}

describe("the monitor", () => {
  test("has a page whose parts it serves itself, and no other", async () => {
    const { status, headers, body } = await get("/");
    expect(status).toBe(200);
    expect(headers["content-security-policy"]).toMatch(/^default-src 'none'/);
    for (const [, path = ""] of body.matchAll(/(?:href|src)="([^"]*)"/g))
      expect((await get(path)).status, path).toBe(200);
    expect((await get("/../package.json")).status).toBe(404);
  });

  test("tells the machine's state, its transitions and its history", async () => {
    const seen = JSON.parse((await get("/monitor.json")).body);
    expect(seen).toEqual({
      status: { kernel: "Linux 6.1" },
      transitions: [
        {
          ...{ name: "livepatch_fix", where: "Linux 6.1", direction: "enabling" },
          points: [{ at: expect.any(Number), behind: 1 }],
        },
      ],
      history: [{ verb: "load" }],
    });
  });

  test("explains an installed livepatch, with its diff", async () => {
    expect(JSON.parse((await get(`/livepatch/${DIGEST}.json`)).body)).toEqual({
      digest: DIGEST,
      lines: ["livepatch_fix", "  why"],
      diffs: DIFFS,
    });
    expect((await get(`/livepatch/${"b".repeat(64)}.json`)).status).toBe(404);
    expect((await get("/livepatch/..%2f.json")).status).toBe(404);
  });

  test("has metrics, with what is strange in names escaped", async () => {
    const { headers, body } = await get("/metrics");
    expect(headers["content-type"]).toMatch(/^text\/plain; version=0\.0\.4/);
    const lines = body.split("\n");
    for (const line of [
      'suture_livepatch{name="livepatch_fix",where="Linux 6.1",kind="kernel",state="enabling"} 1',
      'suture_livepatch_tasks_behind{name="livepatch_fix"} 1',
      'suture_livepatch_processes{name="odd\\"name",where="redis\\nserver",state="enabled"} 2',
      "suture_processes_hidden 1",
      "suture_last_harm_timestamp_seconds 5",
    ])
      expect(lines).toContain(line);
    expect(body).not.toContain("suture_installed");
  });

  test("answers nobody who came by another name, and takes nothing", async () => {
    expect((await get("/monitor.json", { host: "attacker.example" })).status).toBe(403);
    expect((await get("/monitor.json", { method: "POST" })).status).toBe(405);
    expect((await get("/", { method: "HEAD" })).body).toBe("");
  });

  test("says what it could not do, and goes on", async () => {
    fails = new Error("no such thing");
    expect(await get("/monitor.json")).toMatchObject({ status: 500, body: "INTERNAL: no such thing\n" });
    expect((await get("/")).status).toBe(200);
  });

  test("a port that is taken is said", async () => {
    await expect(MonitorServer.start(server.port, sources)).rejects.toMatchObject({ code: "PORT_NOT_FREE" });
  });
});

describe("transitions", () => {
  const moving = (behind: number) =>
    live({ state: "disabling", holders: Array.from({ length: behind }, () => holder) });

  test("are kept from the first look to the one that finds them over", () => {
    const transitions = new Transitions();
    transitions.look([live()], 1);
    transitions.look([moving(3)], 2);
    transitions.look([moving(1)], 3);
    transitions.look([], 4);
    transitions.look([moving(2)], 5);
    const which = { name: "livepatch_fix", where: "Linux 6.1", direction: "disabling" };
    expect(transitions.all).toEqual([
      { ...which, points: [{ at: 5, behind: 2 }] },
      { ...which, ended: 4, points: [3, 1, 0].map((behind, index) => ({ at: index + 2, behind })) },
    ]);
  });

  test("one that does not end takes no more memory, and keeps its first look", () => {
    const transitions = new Transitions();
    for (let at = 0; at < 5000; at++) transitions.look([moving(1)], at);
    const [{ points } = { points: [] }] = transitions.all;
    expect(points.length).toBeLessThanOrEqual(600);
    expect(points[0]).toEqual({ at: 0, behind: 1 });
  });
});
