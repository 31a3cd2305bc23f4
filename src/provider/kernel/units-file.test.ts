import { expect, test } from "vitest";
import { temporaryDirectory } from "../../lib/temp.ts";
import type { Kernel } from "./kernel.ts";
import type { Unit } from "./unit.ts";
import { allUnits, unitsIn, unitsOf, writeUnits } from "./units-file.ts";

const unit = (source: string): Unit => ({
  source,
  object: source.replace(/c$/, "o"),
  lands: { kind: "vmlinux" },
  args: [],
  objtool: undefined,
});

test("a file that a makefile goes to by way of another folder is found by its own name, beside those of its folder", async () => {
  await using directory = await temporaryDirectory();
  const kernel = { units: directory.path } as unknown as Kernel;
  const spelled = "arch/x86/kvm/../../../virt/kvm/eventfd.c";
  await writeUnits(directory.path, [unit("arch/x86/kvm/x86.c"), unit(spelled), unit("virt/kvm/other.c")]);
  expect(await unitsOf(kernel, "virt/kvm/eventfd.c")).toMatchObject([{ source: "virt/kvm/eventfd.c", spelled }]);
  expect((await unitsIn(kernel, "virt/kvm")).map(({ source }) => source)).toEqual([
    "virt/kvm/eventfd.c",
    "virt/kvm/other.c",
  ]);
  expect((await allUnits(kernel)).map((each) => each.spelled ?? each.source).sort()).toEqual(
    ["arch/x86/kvm/x86.c", spelled, "virt/kvm/other.c"].sort(),
  );
  expect((await unitsOf(kernel, "arch/x86/kvm/x86.c"))[0]).not.toHaveProperty("spelled");
});
