/** The thread of watchdog.ts. */
import { readdirSync, readFileSync, writeSync } from "node:fs";
import { setInterval } from "node:timers";
import { workerData } from "node:worker_threads";
import type { Watched } from "./watchdog.ts";

const STDERR = 2;
const LOOK_MS = 5000;
/** More than any test leaves its thread without a turn, on the busiest machine. */
const PATIENCE_MS = 1_800_000;

const { beats } = workerData as Watched;
const count = new Int32Array(beats);
let last = 0;
let since = performance.now();

setInterval(() => {
  const now = Atomics.load(count, 0);
  if (now !== last) since = performance.now();
  last = now;
  if (performance.now() - since < PATIENCE_MS) return;
  writeSync(STDERR, `a test has blocked its thread for ${PATIENCE_MS / 1000} s, and is ended:\n${whatIsRunning()}`);
  process.kill(process.pid, "SIGKILL");
}, LOOK_MS);

/** The tests' thread, and all that was started by it or is traced by it. */
function whatIsRunning(): string {
  const own = new Set([process.pid]);
  const lines: string[] = [];
  for (const pid of readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b)) {
    try {
      const status = readFileSync(`/proc/${pid}/status`, "latin1");
      const field = (name: string): string => new RegExp(`^${name}:\\s+(.*)$`, "m").exec(status)?.[1] ?? "";
      if (!own.has(pid) && !own.has(Number(field("PPid"))) && !own.has(Number(field("TracerPid")))) continue;
      own.add(pid);
      const wait = readFileSync(`/proc/${pid}/wchan`, "latin1");
      lines.push(`  ${pid} ${field("Name")} ${field("State")} in ${wait}, traced by ${field("TracerPid")}\n`);
    } catch {
      // It has ended meanwhile.
    }
  }
  return lines.join("");
}
