/** Real load generators, run round after round until they are stopped. */
import { run } from "../../../src/lib/run.ts";
import type { Load, LoadReport } from "./fix.ts";

interface Round {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** What one round's output says. */
  readonly read: (stdout: string, stderr: string) => LoadReport;
}

/** Runs rounds until it is stopped; the round that runs then is not cut off. */
function rounds({ program, args, env, read }: Round): Load {
  let wanted = true;
  const total = { requests: 0, errors: 0, complaints: [] as string[] };
  const ended = (async () => {
    while (wanted) {
      const { exitCode, stdout, stderr } = await run(program, args, { env, timeoutSeconds: 120 });
      const report = read(stdout, stderr);
      total.requests += report.requests;
      total.errors += report.errors;
      total.complaints.push(...report.complaints);
      if (exitCode === 0) continue;
      total.errors++;
      total.complaints.push(`exit code ${exitCode}: ${(stderr + stdout).trim().slice(-300)}`);
      return;
    }
  })();
  return {
    async stop() {
      wanted = false;
      await ended;
      return total;
    },
  };
}

const REDIS_REQUESTS = 50_000;

/** redis-benchmark: an error reply or a lost connection ends it with another exit code than 0. */
export function redisBenchmark(program: string, port: number, password?: string): Load {
  const tests = ["set", "get", "incr", "lpush", "hset"];
  const args = ["-h", "127.0.0.1", "-p", String(port), "-q", "-c", "20", "-n", String(REDIS_REQUESTS), "-P", "4"];
  const named = password === undefined ? [] : ["-a", password];
  return rounds({
    program,
    args: [...args, ...named, "-t", tests.join(",")],
    read: (stdout, stderr) => {
      const complaints = `${stdout}\n${stderr}`.split("\n").filter((line) => /error|closed|ERR/i.test(line));
      return { requests: tests.length * REDIS_REQUESTS, errors: complaints.length, complaints };
    },
  });
}

/** wrk: counts answers that are not 2xx or 3xx, and connections that fail. */
export function wrk(url: string, headers: readonly string[] = []): Load {
  const args = ["-t", "1", "-c", "16", "-d", "2s", "--timeout", "10s"];
  return rounds({
    program: "wrk",
    args: [...args, ...headers.flatMap((header) => ["-H", header]), url],
    read: (stdout) => {
      const complaints = stdout.split("\n").filter((line) => /Socket errors|Non-2xx/.test(line));
      const failed = complaints.join(" ").match(/\d+(?!xx)/g) ?? [];
      return {
        requests: Number(/(\d+) requests in/.exec(stdout)?.[1] ?? 0),
        errors: failed.reduce((sum, count) => sum + Number(count), 0),
        complaints: complaints.map((line) => line.trim()),
      };
    },
  });
}

/** memcaslap: checks that what it gets is there; ends with another exit code where a connection fails. */
export function memcaslap(program: string, port: number, env: Readonly<Record<string, string>>): Load {
  return rounds({
    program,
    args: ["-s", `127.0.0.1:${port}`, "-T", "1", "-c", "16", "-t", "2s"],
    env,
    read: (stdout, stderr) => {
      const misses = Number(/get_misses: (\d+)/.exec(stdout)?.[1] ?? 0);
      const complaints = stderr.split("\n").filter((line) => /error|fail|closed/i.test(line));
      if (misses > 0) complaints.push(`${misses} misses`);
      return { requests: Number(/Ops: (\d+)/.exec(stdout)?.[1] ?? 0), errors: complaints.length, complaints };
    },
  });
}

/** Two at a time, as one. */
export function together(...loads: readonly Load[]): Load {
  return {
    async stop() {
      const reports = await Promise.all(loads.map((load) => load.stop()));
      return {
        requests: reports.reduce((sum, { requests }) => sum + requests, 0),
        errors: reports.reduce((sum, { errors }) => sum + errors, 0),
        complaints: reports.flatMap(({ complaints }) => complaints),
      };
    },
  };
}

/** dnsperf: counts queries that are lost, and answers that are no success. */
export function dnsperf(port: number, queries: string): Load {
  return rounds({
    program: "dnsperf",
    args: ["-s", "127.0.0.1", "-p", String(port), "-d", queries, "-l", "2", "-c", "4", "-q", "20"],
    read: (stdout) => {
      const [sent, lost] = [/Queries sent: +(\d+)/, /Queries lost: +(\d+)/].map((it) =>
        Number(it.exec(stdout)?.[1] ?? 0),
      );
      const codes = /Response codes: +(.*)/.exec(stdout)?.[1] ?? "";
      const failed = [...codes.matchAll(/([A-Z]+) (\d+)/g)].filter(([, code]) => code !== "NOERROR");
      const errors = (lost ?? 0) + failed.reduce((sum, [, , count]) => sum + Number(count), 0);
      return { requests: sent ?? 0, errors, complaints: errors > 0 ? [`lost ${lost}, ${codes}`] : [] };
    },
  });
}

/** pgbench, with a new connection for each transaction: one that fails ends it with another exit code. */
export function pgbench(program: string, port: number): Load {
  const args = [
    "-h",
    "127.0.0.1",
    "-p",
    String(port),
    "-U",
    "postgres",
    "-n",
    "-S",
    "-C",
    "-c",
    "4",
    "-T",
    "2",
    "postgres",
  ];
  return rounds({
    program,
    args,
    read: (stdout, stderr) => {
      const complaints = stderr.split("\n").filter((line) => /error|fail|aborted|closed/i.test(line));
      const requests = Number(/transactions actually processed: (\d+)/.exec(stdout)?.[1] ?? 0);
      return { requests, errors: complaints.length, complaints };
    },
  });
}

/** A program run again and again, each run one request. */
export function repeatedly(program: string, args: readonly string[]): Load {
  return rounds({ program, args, read: () => ({ requests: 1, errors: 0, complaints: [] }) });
}
