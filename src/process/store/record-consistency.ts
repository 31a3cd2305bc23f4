/** Whether a record says only what ours can: the parts of it that are each well-formed may still contradict each other. */

import { nativeHook, PAGE } from "../os/native.ts";
import type { AreaRecord, ControlRecord, SiteRecord } from "./record-schema.ts";

const MOST_AREA = 256 << 20;

/** Whether every trampoline and stub lies in an area that is there, and no site comes twice. */
export function isConsistent({ sites, areas }: Pick<ControlRecord, "sites" | "areas">): boolean {
  const ids = new Set(sites.map(({ id }) => id));
  return ids.size === sites.length && areas.every(isArea) && sites.every((site) => isSite(site, areas));
}

/** The area that a site's trampoline lies in, where there is one. */
export function areaOfSite<Area extends { readonly start: number; readonly end: number }>(
  { trampoline }: { readonly trampoline: number },
  areas: readonly Area[],
): Area | undefined {
  return areas.find(({ start, end }) => trampoline >= start && trampoline < end);
}

function isArea({ start, end, cursor, floor, blocked }: AreaRecord): boolean {
  const isWhole = start % PAGE === 0 && end % PAGE === 0 && start < end && end - start <= MOST_AREA;
  const { stubSize, trapHandler } = nativeHook();
  const isOrdered =
    start <= cursor && cursor <= floor && floor <= end - trapHandler.size && (cursor - start) % stubSize === 0;
  return isWhole && isOrdered && blocked.every((range) => range.start >= start && range.end <= end);
}

function isSite(site: SiteRecord, areas: readonly AreaRecord[]): boolean {
  const { entry, hookAt, original, final, instructions, hook, stub, trampoline } = site;
  const { hookLength, mostLandingPad, stubSize } = nativeHook();
  const area = areaOfSite(site, areas);
  if (area === undefined || trampoline < area.floor) return false;
  if (hookAt < entry || hookAt > entry + mostLandingPad) return false;
  if (final.length !== 2 * hookLength || original.length < 2 * hookLength || instructions.length > hookLength)
    return false;
  const isRising = instructions.every((at, index) =>
    index === 0 ? at === 0 : at > (instructions[index - 1] as number),
  );
  if (!isRising || (instructions.at(-1) as number) >= original.length / 2) return false;
  if (hook.kind === "direct") return true;
  return stub !== undefined && areas.some(({ start, floor }) => stub >= start && stub + stubSize <= floor);
}
