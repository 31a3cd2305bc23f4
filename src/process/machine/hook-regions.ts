/** What the unwinder has to know of our code in a process: new functions, stubs and trampolines. */
import type { HookedSite } from "../hooks/hooked-site.ts";
import type { HooksInForce } from "../hooks/hooks-in-force.ts";
import type { NewCode } from "../loader/patched-process.ts";
import { codeRegion, type Region } from "../stack/regions.ts";

/** New code of patches. Its call-frame information is read once. */
export function regionOfCode({ range, frames }: NewCode): Region {
  if (frames === undefined) return { kind: "stub", ...range };
  return codeRegion(range.start, range.end, { address: frames.address, data: Buffer.from(frames.bytes) });
}

/** The stubs leave the stack alone; a trampoline stands for the original, instruction by instruction. */
export function regionsOfHooks({ areas, sites }: HooksInForce): Region[] {
  const stubs = areas.map(({ stubs: { start, end } }): Region => ({ kind: "stub", start, end }));
  return [...stubs, ...sites.flatMap(regionsOfTrampoline)];
}

/** Once a call's return address is pushed, the stack is as its callee finds it. */
function regionsOfTrampoline({ trampoline: { start, bytes, origins, pushed } }: HookedSite): Region[] {
  const byAddress = new Map(origins.map(({ offset, original }) => [start + offset, original]));
  const entry = origins[0]?.original as number;
  const original = (ip: number): number => byAddress.get(ip) ?? entry;
  const end = start + bytes.length;
  if (pushed === undefined) return [{ kind: "trampoline", start, end, original }];
  const border = start + pushed.offset;
  return [
    { kind: "trampoline", start, end: border, original },
    { kind: "stub", start: border, end },
  ];
}
