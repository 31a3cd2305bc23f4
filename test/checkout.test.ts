/** A checkout is set up by any Node from 18 on, and runs on its own. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

interface Locked {
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly engines?: { readonly node?: string };
}

const { packages } = JSON.parse(readFileSync(join(import.meta.dirname, "../package-lock.json"), "utf8")) as {
  readonly packages: Readonly<Record<string, Locked>>;
};

/** npm leaves an optional package out, without a word, whose `engines` the Node that runs npm does not meet. */
test("no native part of a tool can be left out by an older Node: it is named in package.json, so that it is not optional", () => {
  const native = Object.entries(packages).filter(
    ([, { os, cpu, libc = ["glibc"] }]) => os?.includes("linux") && cpu?.includes("x64") && libc.includes("glibc"),
  );
  expect(native.length).toBeGreaterThan(3);
  const takesNode18 = (range: string): boolean =>
    range.split("||").some((part) => /^\s*(>=\s*(\d|1[0-8])(\.|\s|$)|\^?18\b|\*)/.test(part));
  const mayBeLeftOut = native.filter(
    ([, { optional, engines }]) => optional === true && engines?.node !== undefined && !takesNode18(engines.node),
  );
  expect(mayBeLeftOut.map(([path]) => path)).toEqual([]);
});

test("the Node that runs this is the checkout's own", () => {
  const own = packages["node_modules/node"] as { readonly version: string };
  expect(process.version).toBe(`v${own.version}`);
});
