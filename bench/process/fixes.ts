/**
 * Published fixes loaded into the programs that need them, while these run
 * under load: bench/results/process-fixes.json and docs/fixes.md.
 *
 *     node bench/process/fixes.ts [--audit] [WORD...]
 *
 * With `--audit` each livepatch is audited too, before anything is patched.
 * Given words, only fixes whose id or package holds one of them; their rows
 * replace those of the last run.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Cache } from "../../src/lib/cache.ts";
import { sourceArchive } from "../../src/provider/debian/source-archive.ts";
import { machine } from "../machine.ts";
import { Archive } from "./fixes/archive.ts";
import { DNSMASQ } from "./fixes/dnsmasq.ts";
import { EXPAT } from "./fixes/expat.ts";
import type { Fix } from "./fixes/fix.ts";
import { GLIBC } from "./fixes/glibc.ts";
import { HAPROXY } from "./fixes/haproxy.ts";
import { LIBEVENT } from "./fixes/libevent.ts";
import { MEMCACHED } from "./fixes/memcached.ts";
import { NGINX } from "./fixes/nginx.ts";
import { OPENSSH } from "./fixes/openssh.ts";
import { OPENSSL } from "./fixes/openssl.ts";
import type { FixOutcome } from "./fixes/outcome.ts";
import { type FixResults, page } from "./fixes/page.ts";
import { POSTGRESQL } from "./fixes/postgresql.ts";
import { PYTHON } from "./fixes/python.ts";
import { REDIS } from "./fixes/redis.ts";
import { TINYPROXY } from "./fixes/tinyproxy.ts";
import { tryFix } from "./fixes/try-fix.ts";
import { Workshop, workshopDirectory } from "./fixes/workshop.ts";
import { ZLIB } from "./fixes/zlib.ts";

const FIXES: readonly Fix[] = [
  ...[...REDIS, ...NGINX, ...HAPROXY, ...LIBEVENT, ...OPENSSL, ...GLIBC, ...ZLIB, ...EXPAT, ...PYTHON],
  ...[...POSTGRESQL, ...OPENSSH, ...MEMCACHED, ...DNSMASQ, ...TINYPROXY],
];
const RESULTS = new URL("../results/process-fixes.json", import.meta.url);
const PAGE = new URL("../../docs/fixes.md", import.meta.url);

const { values, positionals: words } = parseArgs({
  options: { audit: { type: "boolean", default: false } },
  allowPositionals: true,
});
const chosen = FIXES.filter(
  ({ id, source }) => words.length === 0 || words.some((word) => id.includes(word) || source.name === word),
);
const cache = new Cache();
const directory = await workshopDirectory(cache);
const workshop = new Workshop(new Archive(await sourceArchive(cache, undefined), directory), directory);

/** Of this run. */
const outcomes = new Map<string, FixOutcome>();
for (const fix of chosen) {
  const outcome = await tryFix(fix, () => workshop.ready(fix), values.audit);
  outcomes.set(fix.id, outcome);
  process.stdout.write(`${fix.source.name} ${fix.id}: ${inWords(outcome)}\n`);
  for (const finding of outcome.audit ?? []) process.stdout.write(`    ${finding}\n`);
  write();
}

function inWords({ failed, refused, load }: FixOutcome): string {
  if (failed !== undefined) return `FAILED; ${failed.stage}: ${failed.why}`;
  return refused === undefined ? `works; stopped for ${load?.stopsUs.join(", ")} µs` : `refused; ${refused}`;
}

/** What other runs have found since this one began is kept. */
function write(): void {
  const before =
    words.length > 0 && existsSync(RESULTS) ? (JSON.parse(readFileSync(RESULTS, "utf8")) as FixResults) : undefined;
  const all = new Map([...(before?.fixes.map((fix) => [fix.id, fix] as const) ?? []), ...outcomes]);
  const fixes = FIXES.flatMap(({ id }) => all.get(id) ?? []);
  const untried = FIXES.map(({ id }) => id).filter((id) => !all.has(id));
  const results: FixResults = { fixes, untried, machine: machine("") };
  writeFileSync(RESULTS, `${JSON.stringify(results, undefined, 2)}\n`);
  writeFileSync(PAGE, page(results));
}
if ([...outcomes.values()].some(({ failed }) => failed !== undefined)) process.exitCode = 1;
