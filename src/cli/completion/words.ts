/** What a value may be, for a shell that completes one: what there is now, which no script can know. */
import { readdirSync, readFileSync } from "node:fs";
import type { Context, ValueKind } from "../command.ts";

/** A word of printable ASCII with no space in it, and what it stands for, in a few words. */
export interface Word {
  readonly word: string;
  readonly meaning: string;
}

/** What `suture completion` prints words of, by the kind of value that they complete. */
export const WORDS = {
  release: "releases",
  patch: "patches",
  pid: "pids",
  key: "keys",
} as const satisfies Partial<Record<ValueKind, string>>;

/** For instance `patches`. */
export type WordsName = (typeof WORDS)[keyof typeof WORDS];

/** In their order, each once. What cannot be looked at has none. */
export async function wordsOf(name: WordsName, context: Context): Promise<Word[]> {
  const found = new Map<string, string>();
  for (const { word, meaning } of await everyWord(name, context))
    if (/^[\w.+:@~-]+$/.test(word) && !found.has(word)) found.set(word, meaning);
  return [...found].map(([word, meaning]) => ({ word, meaning: meaning.replace(/\s+/g, " ") }));
}

async function everyWord(name: WordsName, context: Context): Promise<Word[]> {
  switch (name) {
    case "releases":
      return await releases(context);
    case "patches":
      return await patches();
    case "pids":
      return pids();
    case "keys":
      return await keys();
  }
}

/** Those that are ready, then those of the archive, by the lists that the machine has. */
async function releases({ cache, signal }: Context): Promise<Word[]> {
  const { listKernels } = await import("../../provider/kernel/kernel-store.ts");
  const { distribution } = await import("../../provider/registry/distributions.ts");
  const ready = await listKernels(cache);
  const offered = await distribution().offeredReleases(signal);
  return [
    { word: "running", meaning: "the kernel that runs" },
    ...ready.map(({ release }) => ({ word: release, meaning: "ready" })),
    ...offered.map((word) => ({ word, meaning: "in the archive" })),
  ];
}

async function patches(): Promise<Word[]> {
  const { kernelState } = await import("../../targets/kernel/look.ts");
  const { patchedProcesses } = await import("../../targets/process/look.ts");
  const kernel = await kernelState();
  const { processes } = patchedProcesses();
  return [
    ...kernel.patches.map(({ name }) => ({ word: name, meaning: "in the kernel" })),
    ...processes.flatMap(({ name, core }) =>
      core.patches.map((patch) => ({ word: patch.name, meaning: `in ${name}` })),
    ),
    ...(await installed()),
  ];
}

/** None where this user may not look. */
async function installed(): Promise<Word[]> {
  const { hostPaths } = await import("../../host/paths.ts");
  const { HostStore } = await import("../../host/store/store.ts");
  try {
    using store = HostStore.open(hostPaths());
    return (store?.installed() ?? []).map(({ name }) => ({ word: name, meaning: "installed" }));
  } catch {
    return [];
  }
}

/** By name; none where they are not to be trusted. */
async function keys(): Promise<Word[]> {
  const { hostPaths } = await import("../../host/paths.ts");
  const { trustedKeys } = await import("../../host/trust/trusted-keys.ts");
  const all = await trustedKeys(hostPaths()).catch(() => []);
  return all.map(({ name, id }) => ({ word: name, meaning: id }));
}

/** Of processes that have a program: the kernel's own threads have no command line. */
function pids(): Word[] {
  return readdirSync("/proc").flatMap((word) => {
    if (!/^\d+$/.test(word)) return [];
    try {
      if (readFileSync(`/proc/${word}/cmdline`).length === 0) return [];
      return [{ word, meaning: readFileSync(`/proc/${word}/comm`, "utf8").trim() }];
    } catch {
      return [];
    }
  });
}
