/** Two sources as a unit for the linker, as if all that they need lay in its object under its own name. */
import { compared } from "../diff/compiled.fixture.ts";
import type { LinkUnit } from "./input.ts";

/** @param dependencies modules that are loaded whenever `object` is */
export function linkUnit(
  original: string,
  patched: string,
  object = "vmlinux",
  dependencies: readonly string[] = [],
): LinkUnit {
  const found = (name: string) => ({
    origin: { kind: "livepatch", object, name, sympos: 0 } as const,
    isSealed: false,
  });
  return {
    selection: compared(original, patched, {
      canSwitch: true,
      readInPlace: () => ({ functions: true, contents: true }),
    }).diff.selection,
    object,
    surroundings: "the kernel",
    dependencies: new Set(dependencies),
    locateFunc: ({ name }) => ({ name, sympos: 0 }),
    locate: ({ name }) => found(name),
    external: found,
  };
}
