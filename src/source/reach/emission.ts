/** Whether a command's compiler leaves out what is static and not used. */

/** Options by which it would not, or by which what it leaves out may matter. */
const KEEPING =
  /^-f(keep-|no-toplevel-reorder|no-unit-at-a-time|no-section-anchors|plugin|profile|test-coverage|instrument|whole-program|lto)|^-(C|CC|traditional|fpreprocessed|fdirectives-only)$|^--coverage$/;

/** True only where the command says so: with optimization, and without any option that keeps what is not used. */
export function leavesOutUnused(args: readonly string[]): boolean {
  const level = args.findLast((arg) => /^-O/.test(arg));
  return level !== undefined && level !== "-O0" && !args.some((arg) => KEEPING.test(arg));
}
