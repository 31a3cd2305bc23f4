/** Installing and uninstalling, as commands. */
import { hostPaths } from "../host/paths.ts";
import { type InstallResult, install, uninstall } from "../host/store/install.ts";
import { HostStore } from "../host/store/store.ts";
import { EXIT, SutureError } from "../lib/error.ts";
import { readGivenFile } from "../lib/read-file.ts";
import { type Loadable, readLoadable } from "../targets/loadable.ts";
import type { Context, Outcome } from "./command.ts";
import type { Json } from "./documents.ts";
import { installLines, installResultJson } from "./installed-report.ts";

/** All files are read and checked before any is installed. */
export async function runInstall(paths: readonly string[], { signal }: Context): Promise<Outcome<Json<"install">>> {
  const files: { readonly data: Buffer; readonly loadable: Loadable }[] = [];
  for (const path of paths) {
    const data = await readGivenFile(path, { signal });
    files.push({ data, loadable: readLoadable(data, path) });
  }
  const results = await HostStore.change(
    hostPaths(),
    (store) => files.map(({ data, loadable }) => install(store, loadable, data)),
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
