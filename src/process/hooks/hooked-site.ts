/** A function with what was found out about hooking it, and the state of its hook. */

import type { Displacement, FunctionCode, Trampoline } from "../../arch/hook-abi.ts";
import { describeSite } from "../../core/holder.ts";
import type { Hook, Site, Version } from "../../core/machine.ts";
import { SutureError } from "../../lib/error.ts";
import { type OtherKeys, otherKeys } from "../../lib/format.ts";
import { type OwnRefusal, refusal } from "../../patch/refusal.ts";
import { nativeHook } from "../os/native.ts";
import { type SiteRecord, siteSchema } from "../store/record-schema.ts";

/** Addresses are the process's; `entry` is the function's, and the hook lies at `displacement.hookAt`. */
export interface HookedSite {
  readonly id: string;
  readonly entry: number;
  readonly displacement: Displacement;
  readonly trampoline: Trampoline;
  readonly hook: Hook;
  /** The stub of a hook that chooses. */
  readonly stub: number | undefined;
  /** What lies at the hook's place. */
  readonly final: Buffer;
  /** What the record that it was read from says besides. */
  readonly others?: OtherKeys;
}

const PADDING_MOST = 16;
const NO_HOOK: Hook = { kind: "direct", to: "original" };

/** What a hook on this function would displace, by the bytes that lie in the process. */
export function examine(
  site: Site,
  read: (address: number, size: number) => Buffer,
  paddingEnd: number | undefined,
  hasShadowStack: boolean,
): Displacement | OwnRefusal {
  const { entry, ranges } = site.original;
  const pieces = ranges.map(({ start, end }) => ({ start, bytes: Buffer.from(read(start, end - start)) }));
  const body = ranges.find(({ start }) => start === entry);
  const padding = Math.min(PADDING_MOST, body === undefined ? 0 : (paddingEnd ?? body.end) - body.end);
  const code: FunctionCode = {
    entry,
    pieces,
    padding: body !== undefined && padding > 0 ? Buffer.from(read(body.end, padding)) : Buffer.alloc(0),
    hasShadowStack,
  };
  const found = nativeHook().displace(code);
  if (found.kind === "displacement") return found;
  const what = `${describeSite(site.id)} cannot be hooked: ${found.why}`;
  return refusal(found.code, what, describeSite(site.id), "patch the functions that call it instead");
}

/** A site with its trampoline at a place, and no hook. */
export function unhooked(site: Site, displacement: Displacement, trampolineAt: number): HookedSite {
  return {
    id: site.id,
    entry: site.original.entry,
    displacement,
    trampoline: nativeHook().trampoline(displacement, trampolineAt),
    hook: NO_HOOK,
    stub: undefined,
    final: originalBytes(displacement),
  };
}

function originalBytes(displacement: Displacement): Buffer {
  return displacement.bytes.subarray(0, nativeHook().hookLength);
}

/** Where a version of a site's function is entered by a jump. */
export function entryOf(site: HookedSite, version: Version): number {
  return version === "original" ? site.trampoline.start : version;
}

/** The site with another hook. `stub`: of a hook that chooses. */
export function withHook(site: HookedSite, hook: Hook, stub: number | undefined): HookedSite {
  return { ...site, hook, stub, final: finalBytes(site, hook, stub) };
}

function finalBytes({ displacement }: HookedSite, hook: Hook, stub: number | undefined): Buffer {
  if (hook.kind === "direct" && hook.to === "original") return originalBytes(displacement);
  const to = hook.kind === "direct" ? (hook.to as number) : (stub as number);
  try {
    return nativeHook().jump(displacement.hookAt, to);
  } catch {
    throw new SutureError(
      "OUT_OF_REACH",
      `0x${to.toString(16)} is further than ${nativeHook().reach / 2 ** 30} GiB from its hook`,
    );
  }
}

/** Whether the two do the same to every call. */
export function isSameHook(a: Hook, b: Hook): boolean {
  if (a.kind === "direct") return b.kind === "direct" && a.to === b.to;
  return b.kind === "choose" && a.behind === b.behind && a.ahead === b.ahead;
}

/** The site as it is remembered in the process; `fromRecord` reads it back. */
export function toRecord(site: HookedSite): SiteRecord {
  const { displacement, trampoline } = site;
  return {
    ...site.others,
    id: site.id,
    entry: site.entry,
    hookAt: displacement.hookAt,
    original: displacement.bytes.toString("hex"),
    instructions: [...displacement.instructions],
    fallsThrough: displacement.fallsThrough,
    trampoline: trampoline.start,
    hook: site.hook,
    ...(site.stub === undefined ? {} : { stub: site.stub }),
    final: site.final.toString("hex"),
  };
}

/** Throws `CONTROL_CORRUPT` for what cannot be ours: the record lies in the memory of the program. */
export function fromRecord(record: SiteRecord): HookedSite {
  const displacement: Displacement = {
    kind: "displacement",
    hookAt: record.hookAt,
    bytes: Buffer.from(record.original, "hex"),
    instructions: record.instructions,
    fallsThrough: record.fallsThrough,
  };
  return {
    id: record.id,
    entry: record.entry,
    displacement,
    trampoline: trampolineOf(record, displacement),
    hook: record.hook,
    stub: record.stub,
    final: Buffer.from(record.final, "hex"),
    others: otherKeys(siteSchema, record),
  };
}

function trampolineOf({ id, trampoline }: SiteRecord, displacement: Displacement): Trampoline {
  try {
    return nativeHook().trampoline(displacement, trampoline);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw damagedRecord(id);
  }
}

/** `CONTROL_CORRUPT`; `where` is what the damage was found in: a site's id, or an address. */
export function damagedRecord(where: string): SutureError {
  return new SutureError("CONTROL_CORRUPT", "what is loaded in this process cannot be told: its record is damaged", {
    where,
    hint: "restart the program",
  });
}
