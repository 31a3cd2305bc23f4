/** Debian's suites, whichever of them this machine runs: each by lists of its own, so that a bad one drops itself alone. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Cache } from "../../lib/cache.ts";
import { SutureError } from "../../lib/error.ts";
import { mapParallel } from "../../lib/parallel.ts";
import { run } from "../../lib/run.ts";
import {
  type Archive,
  joined,
  OWN_USER,
  parseStanzas,
  privateState,
  suiteArchive,
  updateLists,
} from "./debian-archive.ts";

/** One line of a sources.list. */
export interface Suite {
  /** For instance trixie-backports. */
  readonly name: string;
  /** The release that it is part of, for instance trixie. */
  readonly release: string;
  readonly archive: Archive;
}

/** The suites whose lists could be had, and why the others could not. */
export interface Suites {
  readonly suites: readonly Suite[];
  readonly dropped: readonly { readonly name: string; readonly why: string }[];
}

/** What kernels for amd64 are in, the oldest release first. Those of a security archive end so. */
const KNOWN: readonly { readonly release: string; readonly suites: readonly string[] }[] = [
  { release: "bookworm", suites: ["bookworm", "bookworm-updates", "bookworm-security", "bookworm-backports"] },
  { release: "trixie", suites: ["trixie", "trixie-updates", "trixie-security", "trixie-backports"] },
  { release: "forky", suites: ["forky"] },
  { release: "sid", suites: ["sid", "experimental"] },
];

const AT_ONCE = 4;

/** Brings the lists of all known suites up to date, from where the machine's own apt gets Debian. */
export async function openSuites(cache: Cache, signal: AbortSignal | undefined): Promise<Suites> {
  const mirrors = await machineMirrors(signal);
  if (mirrors === undefined) return { suites: [], dropped: [] };
  const wanted = KNOWN.flatMap(({ release, suites }) => suites.map((name) => ({ release, name })));
  const suites: Suite[] = [];
  const dropped: { name: string; why: string }[] = [];
  await mapParallel(
    wanted,
    AT_ONCE,
    async ({ release, name }) => {
      try {
        suites.push({ release, name, archive: await openSuite(name, mirrors, cache, signal) });
      } catch (error) {
        if (!(error instanceof SutureError) || error.code !== "ARCHIVE_UNREACHABLE") throw error;
        dropped.push({ name, why: error.where ?? error.message });
      }
    },
    signal,
  );
  const order = wanted.map(({ name }) => name);
  return { suites: suites.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name)), dropped };
}

/** All suites of the release that one is of, that one first. */
export function sameRelease(all: readonly Suite[], suite: Suite): Archive {
  const others = all.filter((each) => each.release === suite.release && each !== suite);
  return joined([suite, ...others].map(({ archive }) => archive));
}

async function openSuite(
  name: string,
  mirrors: Mirrors,
  cache: Cache,
  signal: AbortSignal | undefined,
): Promise<Archive> {
  const entry = cache.named("apt", `suite-${name}`);
  const at = (path: string): string => join(entry.path, path);
  const options = [
    ...["-c", at("apt.conf")],
    ...OWN_USER,
    ...privateState(entry.path),
    ...["-o", `Dir::Etc::SourceList=${at("sources.list")}`],
    ...["-o", `Dir::Etc::SourceParts=${at("no-parts")}`],
    // Half of what apt would keep of each, and of no use here.
    ...["-o", "Dir::Cache::srcpkgcache="],
  ];
  await entry.locked(
    async () => {
      for (const each of ["lists/partial", "cache/archives/partial", "state"])
        await mkdir(at(each), { recursive: true });
      const mirror = name.endsWith("-security") ? mirrors.security : mirrors.main;
      await writeFile(at("sources.list"), `deb [${mirror.options}] ${mirror.address} ${name} main\n`);
      await writeFile(at("apt.conf"), WITHOUT_HOOKS);
      await updateLists(entry.path, options, signal);
    },
    { signal },
  );
  return suiteArchive(options, signal);
}

/** Programs that the machine runs after its own lists were updated; these are not its own. */
const WITHOUT_HOOKS = ["Pre-Invoke", "Post-Invoke", "Post-Invoke-Success"]
  .map((when) => `#clear APT::Update::${when};\n`)
  .join("");

/** From where Debian comes to this machine. */
interface Mirrors {
  readonly main: Mirror;
  readonly security: Mirror;
}

interface Mirror {
  readonly address: string;
  /** As sources.list(5) has them in brackets. */
  readonly options: string;
}

/** Names by which machines follow a release without naming it. */
const ALIASES = ["oldstable", "stable", "testing", "unstable"];

/** By the sources that apt has here; undefined where none of them is Debian's. */
async function machineMirrors(signal: AbortSignal | undefined): Promise<Mirrors | undefined> {
  const listed = await run("apt-get", ["indextargets", "Identifier: Packages", "Component: main"], { signal });
  if (listed.exitCode !== 0) return undefined;
  const names = new Set([...ALIASES, ...KNOWN.map(({ release }) => release)]);
  const targets = parseStanzas(listed.stdout).filter(({ Release = "", Origin }) => {
    const isDebians = Origin === undefined || Origin === "Debian";
    return isDebians && names.has(Release.split(/[-/]/, 1)[0] ?? "");
  });
  const isSecurity = ({ Release = "" }: (typeof targets)[number]): boolean => /[-/]security$|\/updates$/.test(Release);
  const main = targets.find((each) => !isSecurity(each));
  const security = targets.find(isSecurity);
  if (main === undefined) return undefined;
  const mainMirror = mirrorOf(main);
  // Debian's own hosts, and most mirrors, have both side by side.
  const beside = { ...mainMirror, address: `${mainMirror.address.replace(/\/$/, "")}-security/` };
  return { main: mainMirror, security: security === undefined ? beside : mirrorOf(security) };
}

function mirrorOf(target: Readonly<Record<string, string>>): Mirror {
  const signed = target["Signed-By"] ?? "";
  const options = ["arch=amd64", "target=Packages", "lang=none"];
  if (signed.startsWith("/") && !/\s/.test(signed)) options.push(`signed-by=${signed}`);
  return { address: target["Repo-URI"] ?? "", options: options.join(" ") };
}
