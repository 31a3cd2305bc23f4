/** Which functions of a shipped program can be redirected at their entry. */
import type { Atom } from "../../diff/unit.ts";
import type { ProgramProof } from "./match/prove.ts";
import { paddingBehind } from "./shipped/padding.ts";

type Range = readonly [start: number, end: number];

/** All code of a proved function, the part with its entry first; parts that gcc split off are entered by a jump, and stand for it on a stack. */
export function rangesOf(name: string, { match: { proved } }: ProgramProof): Range[] {
  const isPart = (each: string) =>
    each.startsWith(`${name}.`) && /^\.(part\.\d+(\.cold)?|cold)$/.test(each.slice(name.length));
  const parts = [name, ...[...proved.keys()].filter(isPart)].flatMap((each) => proved.get(each) ?? []);
  return parts.map(({ at, size }) => [at, at + size]);
}

/** The proved function that an atom of the original is, by any of its names. */
export function provedName({ symbols }: Atom, { match: { proved } }: ProgramProof): string | undefined {
  return symbols.find(({ name }) => proved.has(name))?.name;
}

/** The end of a sentence that begins with the function's name; undefined where a hook has room. */
export function whyNoHookIn(original: Atom, proof: ProgramProof): string | undefined {
  const name = provedName(original, proof);
  // What is not proved is refused as such.
  if (name === undefined) return undefined;
  if (proof.folded.has(name)) return "shares its code with other functions, which the linker folded into one";
  const { shipped } = proof;
  const ranges = rangesOf(name, proof);
  const [first] = ranges;
  if (first === undefined) return undefined;
  const [entry, end] = first;
  const pieces = ranges.flatMap(([start, to]) => {
    const bytes = shipped.bytes(start, to - start);
    return bytes === undefined ? [] : [{ start, bytes }];
  });
  const padding = shipped.bytes(end, paddingBehind(end, shipped)) ?? Buffer.alloc(0);
  const hook = shipped.arch.process?.hook;
  if (hook === undefined) return `is code of ${shipped.arch.name}, where no hook is known`;
  const displaced = hook.displace({ entry, pieces, padding });
  return displaced.kind === "none" ? `cannot be hooked: ${displaced.why}` : undefined;
}
