/** Which version of each site is active under given layers, and what changes from one set of layers to another. */
import type { Code, CodeRange, Hook, Site, Version } from "./machine.ts";
import type { Func, PatchObject } from "./patch.ts";
import type { CoreRecord, Layer, LoadedPatch, TransitionRecord } from "./record.ts";

/** The version of a site that calls reach; `patch` is undefined for the original. */
export interface Active {
  readonly patch: string | undefined;
  readonly code: Code;
}

/** A site whose active version is not the same in two universes. */
export interface SiteChange {
  readonly site: Site;
  readonly old: Active;
  readonly new: Active;
}

/** What a transition changes: the universe that is left is old, the one that is gone to is new. */
export interface Plan {
  readonly sites: readonly SiteChange[];
  /** Code of patches that are left altogether, besides their versions of sites. */
  readonly left: readonly { readonly patch: string; readonly ranges: readonly CodeRange[] }[];
}

/** What a transition changes from now on, in the direction in which it goes. */
export function planOfTransition(record: CoreRecord, { from, to, reversed }: TransitionRecord): Plan {
  return reversed ? planOf(record, to, from) : planOf(record, from, to);
}

/** Patches whose code tasks may be in that are still behind. */
export function patchesLeft(plan: Plan): Set<string> {
  const versions = plan.sites.flatMap(({ old }) => (old.patch === undefined ? [] : [old.patch]));
  return new Set([...versions, ...plan.left.map(({ patch }) => patch)]);
}

function planOf(record: CoreRecord, from: readonly Layer[], to: readonly Layer[]): Plan {
  const before = view(record, from);
  const after = view(record, to);
  const sites: SiteChange[] = [];
  for (const [id, { site }] of new Map([...before, ...after])) {
    const change = { site, old: activeIn(before, id, site), new: activeIn(after, id, site) };
    if (change.old.code.entry !== change.new.code.entry) sites.push(change);
  }
  const kept = new Set(effective(record, to).map(({ object }) => object));
  const left = effective(record, from)
    .filter(({ object }) => !kept.has(object))
    .map(({ patch, object }) => ({ patch: patch.name, ranges: object.code }));
  return { sites, left };
}

/** The hooks with which a transition begins and goes on: those behind see the old versions. */
export function choosing(plan: Plan): Map<Site, Hook> {
  const hooks = new Map<Site, Hook>();
  for (const { site, old, new: next } of plan.sites)
    hooks.set(site, { kind: "choose", behind: versionOf(old), ahead: versionOf(next) });
  return hooks;
}

/** The hooks with which it ends. */
export function settled(plan: Plan): Map<Site, Hook> {
  const hooks = new Map<Site, Hook>();
  for (const { site, new: next } of plan.sites) hooks.set(site, { kind: "direct", to: versionOf(next) });
  return hooks;
}

function versionOf(active: Active): Version {
  return active.patch === undefined ? "original" : active.code.entry;
}

function view(record: CoreRecord, layers: readonly Layer[]): Map<string, { site: Site; active: Active }> {
  const sites = new Map<string, { site: Site; active: Active }>();
  for (const { patch, object } of effective(record, layers))
    for (const func of object.funcs) sites.set(func.site.id, { site: func.site, active: activeBy(patch, func) });
  return sites;
}

function activeBy(patch: LoadedPatch, func: Func): Active {
  return { patch: patch.name, code: func.code };
}

function activeIn(sites: ReadonlyMap<string, { active: Active }>, id: string, site: Site): Active {
  return sites.get(id)?.active ?? { patch: undefined, code: site.original };
}

function effective(record: CoreRecord, layers: readonly Layer[]): { patch: LoadedPatch; object: PatchObject }[] {
  return layers.flatMap((layer) => {
    const patch = record.patches.find((each) => each.name === layer.patch);
    if (patch === undefined) return [];
    return patch.objects.filter((each) => layer.objects.includes(each.name)).map((object) => ({ patch, object }));
  });
}
