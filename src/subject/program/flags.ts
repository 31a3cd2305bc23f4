/** Options of a unit's compile that make code of which no livepatch can be made. */
import { type Refusal, refusal } from "../../patch/refusal.ts";
import type { ProgramUnit } from "./program.ts";

/**
 * `LINK_TIME_OPTIMIZED` and `SPLIT_STACK`; of options that exclude each other the last
 * one counts, as for the compiler.
 */
export function flagRefusals({ source, command: { args } }: ProgramUnit): Refusal[] {
  const refusals: Refusal[] = [];
  const lto = args.findLast((arg) => /^-f(no-)?lto(=|$)/.test(arg));
  if (lto?.startsWith("-flto") === true)
    refusals.push(
      refusal(
        "LINK_TIME_OPTIMIZED",
        `${source} is compiled with ${lto}: the code that runs was made when linking, from all files together, and cannot be proved file by file`,
        source,
        "build the program without link-time optimization",
      ),
    );
  const split = args.findLast((arg) => /^-f(no-)?split-stack$/.test(arg));
  if (split === "-fsplit-stack")
    refusals.push(
      refusal(
        "SPLIT_STACK",
        `${source} is compiled with -fsplit-stack, and stacks in pieces cannot be checked`,
        source,
        "build the program without -fsplit-stack",
      ),
    );
  return refusals;
}
