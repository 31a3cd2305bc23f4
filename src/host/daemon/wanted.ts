/** What new processes are to have: the livepatches that are installed for programs, and may be let in. */
import { problemOf } from "../../lib/error.ts";
import type { ProgramLivepatch } from "../../process/loader/livepatch.ts";
import { admitInstalled } from "../boot/admit.ts";
import type { HostPaths } from "../paths.ts";
import { type Installed, pathsOf } from "../store/installed.ts";
import { HostStore } from "../store/store.ts";

/** In the order of installation. */
export interface Wanted {
  readonly livepatches: readonly ProgramLivepatch[];
  /** Of executables and libraries that they patch. */
  readonly buildIds: ReadonlySet<string>;
  /** Where these lie. */
  readonly paths: ReadonlySet<string>;
  /** Whether some of these are libraries: then any program may have one. */
  readonly hasLibraries: boolean;
  /** Those that are installed and not let in, and why: a line each. */
  readonly refused: readonly string[];
  /** What it was made from: it is the same as long as this is. */
  readonly key: string;
}

/** Nothing is wanted where nothing can be read, and that is told. */
export async function readWanted(paths: HostPaths): Promise<Wanted> {
  const livepatches: ProgramLivepatch[] = [];
  const refused: string[] = [];
  let installed: readonly Installed[] = [];
  try {
    using store = HostStore.open(paths);
    installed = (store?.installed() ?? []).filter(({ target, leftOut }) => target.kind === "program" && !leftOut);
    for (const each of store === undefined ? [] : installed) {
      const found = await admitted(store as HostStore, each);
      if (typeof found === "string") refused.push(`${each.name}: ${found}`);
      else livepatches.push(found);
    }
  } catch (error) {
    refused.push(problemOf(error).what);
  }
  const records = livepatches.flatMap(({ objects }) => objects.map(({ record }) => record));
  return {
    livepatches,
    buildIds: new Set(records.map(({ buildId }) => buildId)),
    paths: new Set(
      installed.flatMap(({ target }) => (target.kind === "program" ? target.objects.flatMap(pathsOf) : [])),
    ),
    hasLibraries: records.some(({ name }) => /\.so(\.|$)/.test(name)),
    refused,
    key: JSON.stringify([installed.map(({ id, at, target }) => [id, at, target]), refused]),
  };
}

/** The livepatch, or why it is not let in. */
async function admitted(store: HostStore, installed: Installed): Promise<ProgramLivepatch | string> {
  try {
    const trust = await admitInstalled(store, installed, "daemon");
    if (trust.kind === "refused") return `${trust.refusal.code}: ${trust.refusal.what}`;
    if (trust.loadable.kind === "program") return trust.loadable.livepatch;
    return "it is for a kernel";
  } catch (error) {
    const { code, what } = problemOf(error);
    return `${code}: ${what}`;
  }
}
