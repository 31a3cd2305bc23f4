/** Installing and uninstalling: what it needs, and what stands in the way. */
import { basename } from "node:path";
import type { Problem } from "../../lib/error.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import { type GivenLivepatch, judgeLivepatch, type Trust, type TrustPolicy } from "../trust/judge.ts";
import type { LivepatchIdentity } from "../trust/livepatch-identity.ts";
import { describeTarget, type Installed, type InstalledTarget, isSame, targetOf, withPlaces } from "./installed.ts";
import { digestOf } from "./livepatch-files.ts";
import type { HostStore } from "./store.ts";

/** What became of installing or uninstalling one livepatch. */
export interface InstallResult {
  /** The livepatch's; the file's, where nothing of it was believed. */
  readonly name: string;
  /** SHA-256 of the file, hexadecimal. */
  readonly digest: string;
  readonly target: InstalledTarget | undefined;
  /** `unchanged`: it was installed already. */
  readonly outcome: "done" | "unchanged" | "refused";
  readonly problems: readonly (Refusal | Problem)[];
  readonly notes: readonly string[];
  /** Who has let it in. */
  readonly trust?: Trust | undefined;
}

/** Whom an administrator lets in, but for what is installed already. */
export type InstallPolicy = Omit<TrustPolicy, "versionNow">;

/**
 * Within `HostStore.change`. Nothing is loaded by it; a newer version takes the place of an older one.
 * Throws what `judgeLivepatch` throws.
 */
export function install(store: HostStore, given: GivenLivepatch, policy: InstallPolicy): InstallResult {
  const digest = digestOf(given.data);
  const thereOf = (livepatch: LivepatchIdentity): Installed | undefined =>
    store.installed().find((each) => isSame(each, livepatch));
  const trust = judgeLivepatch(given, { ...policy, versionNow: (livepatch) => thereOf(livepatch)?.version });
  if (trust.kind === "refused") {
    const name = basename(given.path);
    return { name, digest, target: undefined, outcome: "refused", problems: [trust.refusal], notes: [] };
  }
  const { name, version } = trust.livepatch;
  const target = targetOf(trust.loadable);
  const result = { name, digest, target, outcome: "done", problems: [], notes: [], trust } as const;
  const event = { verb: "install", patch: name, target: describeTarget(target), outcome: "done" } as const;
  const there = thereOf(trust.livepatch);
  if (there?.digest === digest) return again(store, there, given, result);
  if (there !== undefined && there.version === version)
    return { ...result, outcome: "refused", problems: [anotherInstalled(there)] };
  const { data, signature } = given;
  // It is for the same builds.
  const known = there?.target.kind === "program" ? there.target.objects : [];
  const places = new Map(known.map(({ buildId, places: each = [] }) => [buildId, each]));
  const why = there === undefined ? undefined : `in the place of version ${there.version}`;
  store.install(
    { name, digest, target: withPlaces(target, places), version, data, signature },
    { ...event, why },
    there,
  );
  return why === undefined ? result : { ...result, notes: [why] };
}

/** The same file: it may have been left out, and its signature may have come since. */
function again(
  store: HostStore,
  there: Installed,
  { signature }: GivenLivepatch,
  result: InstallResult,
): InstallResult {
  const event = { verb: "install", patch: there.name, target: describeTarget(there.target), outcome: "done" } as const;
  const isSigned = signature !== undefined && !signature.equals(there.signature ?? Buffer.alloc(0));
  if (there.leftOut === undefined && !isSigned) return { ...result, outcome: "unchanged" };
  const notes = [
    ...(there.leftOut === undefined ? [] : [`it was left out: ${there.leftOut.why}; it is loaded again from now on`]),
    ...(isSigned ? ["its signature is kept with it now"] : []),
  ];
  store.takeInAgain(there, signature ?? there.signature, { ...event, why: notes.join("; ") });
  return { ...result, notes };
}

function anotherInstalled({ name, target, digest }: Installed): Refusal {
  return refusal(
    "ALREADY_INSTALLED",
    `another livepatch called ${name} is installed for ${describeTarget(target)}, and neither of them is newer`,
    `sha256 ${digest}`,
    `suture uninstall ${name}, then install this one; or build it with a higher version, or under another name`,
  );
}

/** Within `HostStore.change`. What is loaded of them stays so. @param name undefined: all */
export function uninstall(store: HostStore, name: string | undefined): InstallResult[] {
  return store
    .installed()
    .filter((each) => name === undefined || each.name === name)
    .map((each) => {
      const { name: patch, digest, target } = each;
      store.uninstall(each, { verb: "uninstall", patch, target: describeTarget(target), outcome: "done" });
      return { name: patch, digest, target, outcome: "done", problems: [], notes: [] };
    });
}
