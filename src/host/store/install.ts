/** Installing and uninstalling: what it needs, and what stands in the way. */
import type { Problem } from "../../lib/error.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import type { Loadable } from "../../targets/loadable.ts";
import { describeTarget, type Installed, type InstalledTarget, isSameTarget, targetOf } from "./installed.ts";
import { digestOf } from "./livepatch-files.ts";
import type { HostStore } from "./store.ts";

/** What became of installing or uninstalling one livepatch. */
export interface InstallResult {
  readonly name: string;
  /** SHA-256 of the file, hexadecimal. */
  readonly digest: string;
  readonly target: InstalledTarget;
  /** `unchanged`: it was installed already. */
  readonly outcome: "done" | "unchanged" | "refused";
  readonly problems: readonly (Refusal | Problem)[];
  readonly notes: readonly string[];
}

/** Within `HostStore.change`. Nothing is loaded by it. @param data the file, as it was read and checked */
export function install(store: HostStore, loadable: Loadable, data: Buffer): InstallResult {
  const { name } = loadable.livepatch;
  const target = targetOf(loadable);
  const digest = digestOf(data);
  const result = { name, digest, target, outcome: "done", problems: [], notes: [] } as const;
  const event = { verb: "install", patch: name, target: describeTarget(target), outcome: "done" } as const;
  const there = store.installed().find((each) => each.name === name && isSameTarget(each.target, target));
  if (there === undefined) {
    store.install({ name, digest, target, data }, event);
    return result;
  }
  if (there.digest !== digest) return { ...result, outcome: "refused", problems: [anotherInstalled(there)] };
  if (there.leftOut === undefined) return { ...result, outcome: "unchanged" };
  store.takeInAgain(there, { ...event, why: "it was left out" });
  return { ...result, notes: [`it was left out: ${there.leftOut.why}; it is loaded again from now on`] };
}

function anotherInstalled({ name, target, digest }: Installed): Refusal {
  return refusal(
    "ALREADY_INSTALLED",
    `another livepatch called ${name} is installed for ${describeTarget(target)}`,
    `sha256 ${digest}`,
    `suture uninstall ${name}, then install this one; or build it under another name`,
  );
}

/** Within `HostStore.change`. What is loaded of them stays so. @param name undefined: all */
export function uninstall(store: HostStore, name: string | undefined): InstallResult[] {
  return store
    .installed()
    .filter((each) => name === undefined || each.name === name)
    .map((each) => {
      const { name, digest, target } = each;
      store.uninstall(each, { verb: "uninstall", patch: name, target: describeTarget(target), outcome: "done" });
      return { name, digest, target, outcome: "done", problems: [], notes: [] };
    });
}
