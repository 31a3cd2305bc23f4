import { expect, test } from "vitest";
import type { Kernel } from "../../provider/kernel/kernel.ts";
import type { Unit } from "../../provider/kernel/unit.ts";
import { argumentsFor, type CompileOptions } from "./compile.ts";

test("a file of a kernel that was built beside its source is named as from there", () => {
  const unit: Unit = {
    source: "a.c",
    object: "a.o",
    lands: { kind: "vmlinux" },
    args: ["-O2", "-g"],
    objtool: undefined,
  };
  const compiler = { path: "gcc", text: "gcc" };
  const args = (given: readonly string[], isBuiltBeside: boolean) => {
    const kernel = { isBuiltBeside } as Kernel;
    const options: CompileOptions = { kernel, compiler, variant: "plain" };
    return argumentsFor({ ...unit, args: [...given] }, options);
  };
  const map = "-fmacro-prefix-map=./=";
  expect(args(["-O2", "-g"], true)).toEqual(["-O2", map]);
  expect(args(["-O2", map], true)).toEqual(["-O2", map]);
  expect(args(["-O2"], false)).toEqual(["-O2"]);
});
