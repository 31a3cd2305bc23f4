/**
 * Programs of Debian's, of an older version than the archive's newest, caught up
 * under load: bench/results/catch-up.json. What each fix is worth is shown by a
 * probe from outside, which fails on a twin: the same binary, started afterwards.
 *
 *     node bench/process/catch-up.ts [--source-gone] [PACKAGE...]
 *
 * With `--source-gone` the older version is taken for one that has left the archive: which patches it lacks is
 * found out by its code. So it is for those of which the archive has one source alone: what runs is then built
 * of that source without its last patches.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { takenBack } from "../../src/host/catch-up/taken-back.ts";
import { Cache } from "../../src/lib/cache.ts";
import { silentProgress } from "../../src/lib/progress.ts";
import { temporaryDirectory } from "../../src/lib/temp.ts";
import { sourceArchive } from "../../src/provider/debian/source-archive.ts";
import { distribution } from "../../src/provider/registry/distributions.ts";
import { runningBuilds } from "../../src/targets/process/running-builds.ts";
import { machine } from "../machine.ts";
import { Archive } from "./fixes/archive.ts";
import { type Answer, suture } from "./fixes/command.ts";
import type { Fix, Place, Service, StockPackage } from "./fixes/fix.ts";
import { HAPROXY } from "./fixes/haproxy.ts";
import { LIBEVENT } from "./fixes/libevent.ts";
import { NGINX } from "./fixes/nginx.ts";
import { OPENSSL } from "./fixes/openssl.ts";
import { REDIS } from "./fixes/redis.ts";
import { librariesIn, programIn, Workshop, workshopDirectory } from "./fixes/workshop.ts";

/** A program that is behind: how it is started, and what is seen of its fixes. */
interface Behind {
  readonly source: string;
  readonly older: Older;
  /** All are seen in one server, that of the first. */
  readonly fixes: readonly Fix[];
}

/** Where the version that runs is from. */
type Older =
  /** Debian's, unpacked. */
  | { readonly kind: "archive"; readonly packages: readonly StockPackage[] }
  /** Built of the first fix's source without these patches: its last ones, those left out that are tests or texts alone. */
  | { readonly kind: "built"; readonly without: readonly string[] };

const OLD_REDIS = "5:7.0.15-1~deb12u7";
const BEHIND: readonly Behind[] = [
  {
    source: "redis",
    older: {
      kind: "archive",
      packages: ["redis-tools", "redis-server"].map((name) => ({ name, version: OLD_REDIS })),
    },
    fixes: REDIS.filter(({ before }) => before.kind === "stock"),
  },
  {
    source: "libevent",
    older: { kind: "archive", packages: stockOf(LIBEVENT) },
    fixes: LIBEVENT,
  },
  {
    source: "haproxy",
    older: {
      kind: "built",
      without: [
        "BUG-MINOR-h1-do-not-accept-as-part-of-the-URI-compon.patch",
        "BUG-MINOR-h2-reject-more-chars-from-the-path-pseudo-.patch",
        "BUG-MINOR-h3-reject-more-chars-from-the-path-pseudo-.patch",
        "0001-BUG-MEDIUM-sample-fix-risk-of-overflow-when-replacin.patch",
        "0001-BUG-CRITICAL-mjson-fix-possible-DoS-when-parsing-num.patch",
      ],
    },
    fixes: HAPROXY.filter(({ id }) => id !== "CVE-2023-40225"),
  },
  {
    source: "openssl",
    older: {
      kind: "built",
      without: [
        "Reject-potentially-forged-encrypted-CMS-AuthEnvelopedData.patch",
        "Fix-potential-NULL-dereference-processing-CMS-PasswordRec.patch",
        "Match-the-local-q-DHX-parameter-against-the-peer-s-q.patch",
        "Apply-the-buffered-IV-on-the-AES-OCB-EVP_Cipher-path.patch",
        "Fix-handling-of-empty-ciphertext-messages-in-AES-SIV.patch",
        "Fix-possible-use-after-free-in-OpenSSL-PKCS7_verify.patch",
      ],
    },
    fixes: OPENSSL,
  },
  {
    source: "nginx",
    older: { kind: "built", without: ["CVE-2026-48142.patch", "CVE-2026-42055.patch"] },
    fixes: NGINX.filter(({ id }) => id === "CVE-2026-42055"),
  },
];

function stockOf([first]: readonly Fix[]): readonly StockPackage[] {
  return first?.before.kind === "stock" ? first.before.packages : [];
}

interface ProbeRow {
  readonly fix: string;
  readonly before: string;
  readonly caughtUp: string;
  readonly twin: string;
}

interface Row {
  readonly package: string;
  readonly from: string;
  readonly to: string;
  readonly seconds: number;
  readonly tries: number;
  readonly fixes: readonly { readonly name: string; readonly state: string; readonly code?: string | undefined }[];
  readonly stopsUs: readonly number[];
  readonly generator: string;
  readonly requests: number;
  readonly errors: number;
  readonly probes: readonly ProbeRow[];
}

const RESULTS = new URL("../results/catch-up.json", import.meta.url);
const { values, positionals: words } = parseArgs({
  options: { "source-gone": { type: "boolean", default: false } },
  allowPositionals: true,
});
const cache = new Cache();
const kept = await workshopDirectory(cache);
const archive = new Archive(await sourceArchive(cache, undefined), kept);
const workshop = new Workshop(archive, kept);
for (const behind of BEHIND.filter(({ source }) => words.length === 0 || words.includes(source))) {
  if (values["source-gone"]) {
    process.stdout.write(`${JSON.stringify(await toldByCode(behind), undefined, 1)}\n`);
    continue;
  }
  const row = await caughtUp(behind);
  process.stdout.write(`${JSON.stringify(row, undefined, 1)}\n`);
  write(row);
}

async function caughtUp({ source, older, fixes }: Behind): Promise<Row> {
  const [first] = fixes;
  if (first === undefined) throw new Error(`no probe of ${source}`);
  const place = await placeOf(older, first);
  await using directory = await temporaryDirectory();
  await using service = await started(first, place, join(directory.path, "server"));
  const before = await probed(fixes, service, false);
  const load = service.load();
  const chosen = service.pids().flatMap((pid) => ["--pid", String(pid)]);
  const answer = await suture(["catch-up", source, ...chosen], directory.path);
  const report = await load.stop();
  const { from, to, tries, fixes: told, results } = systemOf(answer, service.pids());
  const after = await probed(fixes, service, true);
  if (report.errors > 0) throw new Error(report.complaints.join("; "));
  if (!service.server.alive) throw new Error("the server has ended");
  // The same file, without the livepatch.
  await using twin = await started(first, place, join(directory.path, "twin"));
  const unpatched = await probed(fixes, twin, false);
  return {
    ...{ package: source, from, to, tries },
    seconds: Math.round(answer.seconds * 10) / 10,
    fixes: told.map(({ name, state, problem }) => ({ name, state, code: problem?.code })),
    stopsUs: results.flatMap(({ cost }) => (cost?.stopsUs ?? []).map(Math.round)),
    generator: service.generator,
    requests: report.requests,
    errors: report.errors,
    probes: fixes.map(({ id }, i) => ({
      fix: id,
      before: before[i] ?? "",
      caughtUp: after[i] ?? "",
      twin: unpatched[i] ?? "",
    })),
  };
}

/** The older version, with all that it is started with. */
async function placeOf(older: Older, first: Fix): Promise<Omit<Place, "directory">> {
  if (older.kind === "built") return (await workshop.ready({ ...first, diffs: older.without })).place;
  const root = await archive.unpacked(older.packages);
  return { root, program: programIn([root]), libraries: librariesIn(root).join(":") };
}

/** The patches that the program is found not to have, and what its own version says. */
async function toldByCode({ source, older: of, fixes }: Behind) {
  if (of.kind !== "archive") throw new Error(`${source} has no older version in the archive`);
  const place = await placeOf(of, fixes[0] as Fix);
  const { root } = place;
  await using directory = await temporaryDirectory();
  await using service = await started(fixes[0] as Fix, place, join(directory.path, "server"));
  const { signal } = new AbortController();
  const options = { cache, progress: silentProgress, signal, jobs: availableParallelism(), output: directory.path };
  const known = await (await distribution().packageVersions(options)).of(source);
  const older = of.packages[0]?.version ?? "";
  const versions = { ...known, versions: known.versions.filter((each) => each !== older) };
  const [build] = runningBuilds(service.pids()).builds.filter(({ paths }) =>
    paths.some((path) => path.startsWith(root)),
  );
  if (build === undefined) throw new Error(`nothing of ${source} runs`);
  const back = await takenBack(versions, build, options);
  const [newest = ""] = versions.versions;
  const names = new Set((await known.patches(older)).map(({ name }) => name));
  const wanted = (await known.patches(newest)).map(({ name }) => name).filter((name) => !names.has(name));
  if (back?.kind === "unclear") throw new Error(`it cannot be told whether it has ${back.patch}`);
  const found = back?.series.map(({ name }) => name) ?? [];
  if (found.join() !== wanted.join()) throw new Error(`found ${found.join()}; they are ${wanted.join()}`);
  return { package: source, without: older, found };
}

async function started(fix: Fix, place: Omit<Place, "directory">, directory: string): Promise<Service> {
  await mkdir(directory);
  return await fix.start({ ...place, directory });
}

/** What each probe sees; throws where it is not what is expected. */
async function probed(fixes: readonly Fix[], service: Service, fixed: boolean): Promise<string[]> {
  const seen: string[] = [];
  for (const { id, probe } of fixes) {
    const sight = await probe(service);
    if (sight.fixed !== fixed) throw new Error(`${id} is ${fixed ? "not " : ""}there: ${sight.seen}`);
    seen.push(sight.seen);
  }
  return seen;
}

interface System {
  readonly from: string;
  readonly to: string;
  readonly tries: number;
  readonly pids: readonly number[];
  readonly fixes: readonly {
    readonly name: string;
    readonly state: string;
    readonly problem?: { readonly code: string };
  }[];
  readonly results: readonly { readonly cost?: { readonly stopsUs: readonly number[] } }[];
}

function systemOf({ json, complaint }: Answer, pids: readonly number[]): System {
  const systems = (json["systems"] as readonly System[] | undefined) ?? [];
  const own = systems.find((each) => pids.every((pid) => each.pids.includes(pid)));
  if (own === undefined) throw new Error(`nothing was caught up: ${complaint} ${JSON.stringify(json).slice(0, 500)}`);
  return own;
}

/** What other runs have found is kept. */
function write(row: Row): void {
  const before = existsSync(RESULTS)
    ? (JSON.parse(readFileSync(RESULTS, "utf8")) as { programs: readonly Row[] }).programs
    : [];
  const programs = [...before.filter((each) => each.package !== row.package), row];
  writeFileSync(RESULTS, `${JSON.stringify({ programs, machine: machine("") }, undefined, 2)}\n`);
}
