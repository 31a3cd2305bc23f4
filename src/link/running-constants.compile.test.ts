/** What macros and compilers make anew with each version of a function, and the running object has already. */
import { expect, test } from "vitest";
import { compared } from "../diff/compiled.fixture.ts";
import type { LinkUnit } from "./input.ts";
import { withRunningConstants } from "./running-constants.ts";

const SOURCE = `
extern int log_it(const char *, const char *);
int f(int n) { static const char __msg[] = "a message"; return log_it(__func__, __msg) + outside(n); }
int g(int n) { static const char __msg[] = "another"; return log_it(__func__, __msg) + outside(n); }
`;

/** Where code of the new version refers, by the kinds of what is no code. */
function targets(patched: string, isLocated = true): string[] {
  const { selection } = compared(SOURCE, patched).diff;
  const found = { origin: { kind: "livepatch", object: "vmlinux", name: "it", sympos: 0 }, isSealed: false } as const;
  const unit: LinkUnit = {
    selection,
    object: "vmlinux",
    surroundings: "the kernel",
    dependencies: new Set(),
    locateFunc: ({ name }) => ({ name, sympos: 0 }),
    locate: () => (isLocated ? found : undefined),
    external: () => found,
  };
  return withRunningConstants(unit).selection.pieces.flatMap(({ atom, references }) =>
    references.flatMap(({ destination }) =>
      atom.kind === "function" && "atom" in destination && destination.atom.kind === "constant"
        ? [
            `${destination.kind} ${destination.atom.name.replace(/\.\d+$/, "")} ${destination.atom.data.toString("latin1").replace(/\0$/, "")}`,
          ]
        : [],
    ),
  );
}

test("a message and a function's name that are as they were are the running object's", () => {
  const patched = SOURCE.replace("outside(n); }\nint g", "outside(n + 1); }\nint g");
  expect(targets(patched).sort()).toEqual(["original __func__ f", "original __msg a message"]);
});

test("a message that is changed comes along, also where another function has the same", () => {
  const patched = SOURCE.replace("a message", "another");
  expect(targets(patched).sort()).toEqual(["original __func__ f", "piece __msg another"]);
});

test("so does what is not known where it lies", () => {
  const patched = SOURCE.replace("outside(n); }\nint g", "outside(n + 1); }\nint g");
  expect(targets(patched, false).sort()).toEqual(["piece __func__ f", "piece __msg a message"]);
});
