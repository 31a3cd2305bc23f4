/** Installing and uninstalling, as commands. */
import { hostPaths } from "../host/paths.ts";
import { notePlaces } from "../host/status/note-places.ts";
import { type InstallPolicy, type InstallResult, install, uninstall } from "../host/store/install.ts";
import { HostStore } from "../host/store/store.ts";
import { type GivenLivepatch, judgeLivepatch } from "../host/trust/judge.ts";
import { administratorsPolicy, withSignature } from "../host/trust/policy.ts";
import { EXIT, SutureError } from "../lib/error.ts";
import { readGivenFile } from "../lib/read-file.ts";
import type { Context, Outcome } from "./command.ts";
import type { Json } from "./documents.ts";
import { installLines, installResultJson } from "./installed-report.ts";
import type { FileVerbChoice } from "./judge-file.ts";

/** All files are read before any is installed. */
export async function runInstall(
  paths: readonly string[],
  { allowOlder, signal }: Omit<FileVerbChoice, "taker">,
): Promise<Outcome<Json<"install">>> {
  const files: { readonly given: GivenLivepatch; readonly policy: InstallPolicy }[] = [];
  for (const path of paths) {
    const given = await withSignature(path, await readGivenFile(path, { signal }), signal);
    // What is no livepatch at all is said before anything is made.
    const policy = { ...(await administratorsPolicy(given, "command")), allowOlder };
    judgeLivepatch(given, policy);
    files.push({ given, policy });
  }
  const results = await HostStore.change(
    hostPaths(),
    (store) => {
      const installed = files.map(({ given, policy }) => install(store, given, policy));
      notePlaces(store);
      return installed;
    },
    { signal },
  );
  return outcomeOf("installed", results);
}

/** @param name undefined: all */
export async function runUninstall(name: string | undefined, { signal }: Context): Promise<Outcome<Json<"uninstall">>> {
  const paths = hostPaths();
  // Nothing is made by a command that takes away.
  const isAny = HostStore.open(paths);
  isAny?.[Symbol.dispose]();
  const results = isAny && (await HostStore.change(paths, (store) => uninstall(store, name), { signal }));
  if (name !== undefined && (results ?? []).length === 0)
    throw new SutureError("NOT_INSTALLED", `no livepatch called ${name} is installed`, { hint: "see: suture status" });
  return outcomeOf("uninstalled", results ?? []);
}

function outcomeOf(did: string, results: readonly InstallResult[]): Outcome<Json<"install">> {
  return {
    exit: results.some(({ outcome }) => outcome === "refused") ? EXIT.refused : EXIT.done,
    json: { results: results.map(installResultJson) },
    lines: results.length === 0 ? ["nothing is installed"] : installLines(did, results),
    problems: results.flatMap(({ problems }) => problems),
  };
}
