/** The livepatches of a running kernel, as its modules and its sysfs show them. */
import { findHolders, type KernelHolder } from "./holders.ts";
import { releaseOf } from "./identity.ts";
import { type LoadedModule, readModules, staysFor } from "./modules.ts";
import { type PatchedObject, readPatches, type SysfsPatch } from "./sysfs.ts";

/** One livepatch of the kernel, whoever made it. What takes it away may come between two looks. */
export interface KernelPatch {
  readonly name: string;
  /** `enabling` and `disabling`: a transition goes on. A disabled one is a module that nothing leads to. */
  readonly state: "enabled" | "enabling" | "disabling" | "disabled";
  readonly objects: readonly PatchedObject[];
  /** Tasks that have not switched yet; none where no transition goes on. */
  readonly holders: readonly KernelHolder[];
  /** Bytes of its module. */
  readonly size: number | undefined;
  /** Livepatches that came later and patch some of the same functions: what runs of those is theirs. */
  readonly under: readonly { readonly patch: string; readonly funcs: readonly string[] }[];
  /** Whether its module can never be unloaded: something may have addresses of it, or a transition was forced. */
  readonly stays: boolean;
}

/** All livepatches of a kernel, and the kernel's name. */
export interface KernelState {
  /** For a reader: `Linux 6.1.0-1-amd64`. */
  readonly name: string;
  /** The one that was loaded first is the first. */
  readonly patches: readonly KernelPatch[];
}

/** `root` is the root of the file system. */
export async function kernelState(root = "/"): Promise<KernelState> {
  const [release, modules, enabled] = await Promise.all([releaseOf(root), readModules(root), readPatches(root)]);
  const livepatches = modules.toReversed().filter(({ isLivepatch }) => isLivepatch);
  const names = new Set([...livepatches.map(({ name }) => name), ...enabled.map(({ name }) => name)]);
  const patches = [...names].map((name) =>
    patchOf(
      root,
      name,
      enabled.find((each) => each.name === name),
      livepatches.find((each) => each.name === name),
    ),
  );
  const all = await Promise.all(patches);
  return {
    name: `Linux ${release}`,
    patches: all.map((patch, i) => ({ ...patch, under: over(patch, all.slice(i + 1)) })),
  };
}

/** The kernel runs the version of the one that was enabled last, and none is enabled twice. */
function over(patch: Omit<KernelPatch, "under">, later: readonly Omit<KernelPatch, "under">[]): KernelPatch["under"] {
  const own = new Set(funcsOf(patch).map(({ key }) => key));
  return later.flatMap((each) => {
    const funcs = funcsOf(each).filter(({ key }) => own.has(key));
    return funcs.length === 0 ? [] : [{ patch: each.name, funcs: funcs.map(({ name }) => name) }];
  });
}

function funcsOf({ objects }: Pick<KernelPatch, "objects">): { readonly key: string; readonly name: string }[] {
  return objects.flatMap((object) =>
    object.funcs.map(({ name, sympos }) => ({ key: `${object.name}:${name},${sympos}`, name })),
  );
}

async function patchOf(
  root: string,
  name: string,
  patch: SysfsPatch | undefined,
  module: LoadedModule | undefined,
): Promise<Omit<KernelPatch, "under">> {
  return {
    name,
    state: stateOf(patch),
    objects: patch?.objects ?? [],
    holders: patch?.transition === true ? await findHolders(root, patch) : [],
    size: module?.size,
    stays: patch === undefined && module !== undefined && staysFor(module),
  };
}

function stateOf(patch: SysfsPatch | undefined): KernelPatch["state"] {
  if (patch === undefined) return "disabled";
  if (!patch.transition) return patch.enabled ? "enabled" : "disabled";
  return patch.enabled ? "enabling" : "disabling";
}
