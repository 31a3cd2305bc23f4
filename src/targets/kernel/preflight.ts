import { stat } from "node:fs/promises";
import { join } from "node:path";
import { type LivepatchFile, madeForAnother } from "../../patch/livepatch-file.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import { entryUsers } from "./entry-users.ts";
import { buildIdIn, kernelBuildId, releaseOf } from "./identity.ts";
import { readModule, staysFor } from "./modules.ts";
import { proveOriginals } from "./prove-originals.ts";
import { signatureFindings } from "./signature.ts";
import { LIVEPATCHES, readPatch, readPatches } from "./sysfs.ts";

/** What was found before a load; nothing was changed. */
export interface Preflight {
  /** Why the kernel would not take the livepatch in now. */
  readonly problems: readonly Refusal[];
  /** What is proved, and what else has to do with the functions. */
  readonly notes: readonly string[];
  /** What is not proved, and why: of interest also to who loads it all the same. */
  readonly notProved: readonly string[];
}

/** `root` is the root of the file system of the kernel that is meant. */
export async function preflight(root: string, livepatch: LivepatchFile): Promise<Preflight> {
  const signature = await signatureFindings(root, livepatch);
  const found = [
    ...(await obstacles(root, livepatch)),
    ...(signature.problem === undefined ? [] : [signature.problem]),
  ];
  // Of another kernel nothing else can be said.
  if (found.some(({ code }) => code === "WRONG_KERNEL" || code === "NO_LIVEPATCHING"))
    return { problems: found, notes: [], notProved: [] };
  const proof = await proveOriginals(root, livepatch);
  const users = await entryUsers(root, livepatch);
  const jumped = proof.jumpedFrom.map(({ func, by }) =>
    func.by === "switch"
      ? { problem: takenBy(func.name, by) }
      : { note: `${func.name} jumps into ${by}, which lies below: the new version is run in its place` },
  );
  return {
    problems: [...found, ...proof.problems, ...users.problems, ...jumped.flatMap(({ problem }) => problem ?? [])],
    notes: [
      ...(proof.proved === undefined ? [] : [proof.proved]),
      ...users.notes,
      ...jumped.flatMap(({ note }) => note ?? []),
    ],
    notProved: [...proof.notProved, ...(signature.notProved === undefined ? [] : [signature.notProved])],
  };
}

function takenBy(name: string, by: string): Refusal {
  const what = `${name} is patched by ${by}, which jumps from its entry`;
  return refusal("FUNCTION_TAKEN", what, name, `disable that first: suture disable ${by}`);
}

async function obstacles(root: string, livepatch: LivepatchFile): Promise<Refusal[]> {
  const found = [
    madeForAnother(livepatch, await releaseOf(root)),
    await noLivepatching(root),
    await otherKernel(root, livepatch),
    ...(await otherModules(root, livepatch)),
    await alreadyThere(root, livepatch),
    await inTransition(root),
  ];
  return found.filter((each) => each !== undefined);
}

async function noLivepatching(root: string): Promise<Refusal | undefined> {
  const path = join(root, LIVEPATCHES);
  const there = await stat(path).catch(() => undefined);
  if (there?.isDirectory() === true) return undefined;
  return refusal(
    "NO_LIVEPATCHING",
    "this kernel takes in no livepatches",
    `no ${path}`,
    "it has to be built with CONFIG_LIVEPATCH=y, and sysfs has to be mounted",
  );
}

async function otherKernel(root: string, { name, metadata }: LivepatchFile): Promise<Refusal | undefined> {
  const has = await kernelBuildId(root);
  const wanted = metadata?.kernel.buildId;
  if (wanted === undefined || has === undefined || wanted === has) return undefined;
  return refusal(
    "WRONG_KERNEL",
    `${name} was proved against another build of this release`,
    `build-id ${has}, wanted ${wanted}`,
    "build it again with: suture build --kernel running",
  );
}

/** Modules that are loaded and are not those that the livepatch was proved against. */
async function otherModules(root: string, { name, metadata }: LivepatchFile): Promise<Refusal[]> {
  const refusals: Refusal[] = [];
  for (const object of metadata?.objects ?? []) {
    const has = await buildIdIn(join(root, "sys/module", object.name, "notes/.note.gnu.build-id"));
    if (object.name === "vmlinux" || has === undefined || object.buildId === undefined || has === object.buildId)
      continue;
    refusals.push(
      refusal(
        "WRONG_MODULE",
        `${name} was proved against another build of the module ${object.name}`,
        `build-id ${has}, wanted ${object.buildId}`,
        "build it again against the module that is loaded, with --modules",
      ),
    );
  }
  return refusals;
}

/** One that is disabled and that nothing keeps makes room: the kernel enables none again. */
async function alreadyThere(root: string, { name }: LivepatchFile): Promise<Refusal | undefined> {
  const module = await readModule(root, name);
  if (module === undefined) return undefined;
  const patch = await readPatch(root, name);
  if (module.isLivepatch && patch === undefined) {
    return staysFor(module) ? keptInMemory(name) : undefined;
  }
  const what = patch === undefined ? `a module called ${name} is loaded` : `a livepatch called ${name} is loaded`;
  return refusal("ALREADY_LOADED", what, "", "unload that one first, or build this one under another name");
}

/** The module's name is taken for as long as the kernel runs. */
export function keptInMemory(name: string): Refusal {
  const what = `a livepatch called ${name} is disabled, and stays in memory: something may have addresses of it`;
  return refusal("ALREADY_LOADED", what, "", "build this one under another name");
}

/** The kernel has one transition at a time. */
async function inTransition(root: string): Promise<Refusal | undefined> {
  const moving = (await readPatches(root)).find(({ transition }) => transition);
  if (moving === undefined) return undefined;
  return refusal(
    "TRANSITION_IN_PROGRESS",
    `the transition of ${moving.name} has not ended`,
    join(root, LIVEPATCHES, moving.name, "transition"),
    "wait for it, or see which tasks hold it up in its status",
  );
}
