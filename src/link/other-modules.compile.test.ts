import { expect, test } from "vitest";
import { x86_64 } from "../arch/x86_64/machine.ts";
import { Image } from "./image.ts";
import type { LinkUnit } from "./input.ts";
import { linkUnit } from "./link-unit.fixture.ts";
import { needsOfAbsentModules } from "./other-modules.ts";
import { placeUnits } from "./placed-unit.ts";

const OLD = "int work(int a) { return a; }";
const NEW = "int fresh(int); int work(int a) { return fresh(a); }";
const HOME = "int known(int); int own(int a) { return known(a); }";
const FRESH = `
  int known(int);
  noinline int fresh(int a) { return known(a) + 1; }
  int own(int a) { return fresh(a); }
`;

function needs(user: LinkUnit, home: string) {
  const units = [linkUnit(HOME, FRESH, home), user];
  return needsOfAbsentModules(placeUnits(units, new Image(x86_64), new Map()));
}

test("a module may need what is new in the kernel, in itself, and in a module that it depends on", () => {
  const user = linkUnit(OLD, NEW, "nat", ["conntrack"]);
  for (const home of ["vmlinux", "nat", "conntrack"]) expect(needs(user, home)).toEqual([]);
});

test("what runs without the module that the new function is part of is refused", () => {
  for (const user of [linkUnit(OLD, NEW, "nat", ["nfnetlink"]), linkUnit(OLD, NEW)])
    expect(needs(user, "conntrack")).toMatchObject([
      {
        code: "MODULE_MAY_BE_ABSENT",
        what: `fresh is new in conntrack and needed in ${user.object}, which runs where conntrack is not loaded too`,
      },
    ]);
});
