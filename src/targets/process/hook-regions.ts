/** What the unwinder has to know of our code in a process: new functions, stubs and trampolines. */
import type { ProcessHooks } from "./hooks/process-hooks.ts";
import type { NewCode } from "./patched-process.ts";
import { codeRegion, type Region } from "./unwind/regions.ts";

/** New code of patches. Its call-frame information is read once. */
export function regionOfCode({ range, frames }: NewCode): Region {
  if (frames === undefined) return { kind: "stub", ...range };
  return codeRegion(range.start, range.end, { address: frames.address, data: Buffer.from(frames.bytes) });
}

/** The stubs leave the stack alone; a trampoline stands for the original, instruction by instruction. */
export function regionsOfHooks({ areas, sites }: ProcessHooks): Region[] {
  const stubs = areas.map(({ stubs: { start, end } }): Region => ({ kind: "stub", start, end }));
  const trampolines = sites.map(({ trampoline: { start, bytes, origins } }): Region => {
    const byAddress = new Map(origins.map(({ offset, original }) => [start + offset, original]));
    const entry = origins[0]?.original as number;
    return { kind: "trampoline", start, end: start + bytes.length, original: (ip) => byAddress.get(ip) ?? entry };
  });
  return [...stubs, ...trampolines];
}
