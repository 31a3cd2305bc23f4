/** The distributions that are known, and which of them is meant. */
import { readFileSync } from "node:fs";
import { SutureError } from "../../lib/error.ts";
import { debian } from "../debian/debian.ts";
import type { Distribution } from "../distribution.ts";

/** The first is the one of a machine that is none of them. */
export const DISTRIBUTIONS: readonly [Distribution, ...Distribution[]] = [debian];

/**
 * Throws `USAGE` for one that is not known.
 * @param name default: what this machine runs
 */
export function distribution(name?: string): Distribution {
  const named = DISTRIBUTIONS.find((each) => each.name === name);
  if (named !== undefined) return named;
  if (name === undefined) return DISTRIBUTIONS.find((each) => each.name === running()) ?? DISTRIBUTIONS[0];
  throw new SutureError("USAGE", `no distribution is known as ${name}`, {
    hint: `there are ${DISTRIBUTIONS.map((each) => each.name).join(", ")}`,
  });
}

function running(): string | undefined {
  try {
    return /^ID="?([\w.-]+)"?$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1];
  } catch {
    return undefined;
  }
}
