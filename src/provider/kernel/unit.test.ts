import { expect, test } from "vitest";
import { compiledLike, type Unit } from "./unit.ts";

const unit: Unit = {
  source: "virt/kvm/kvm_main.c",
  object: "arch/x86/kvm/../../../virt/kvm/kvm_main.o",
  lands: { kind: "module", modules: ["arch/x86/kvm/kvm"] },
  args: ["-O2"],
  objtool: undefined,
};

test("a file that is compiled like another one is that file, by whichever way the makefile goes to the other", () => {
  const spelled = "arch/x86/kvm/../../../virt/kvm/kvm_main.c";
  expect(compiledLike(unit, "virt/kvm/more.c")).toEqual({
    ...unit,
    source: "virt/kvm/more.c",
    object: "virt/kvm/more.o",
  });
  expect(compiledLike({ ...unit, spelled }, "virt/kvm/more.c").spelled).toBe("arch/x86/kvm/../../../virt/kvm/more.c");
  expect(compiledLike({ ...unit, source: "a.c", spelled: "./a.c" }, "b.c").spelled).toBe("./b.c");
  expect(compiledLike({ ...unit, spelled }, "suture/switch.c").spelled).toBeUndefined();
});
