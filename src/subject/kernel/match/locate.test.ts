import { expect, test } from "vitest";
import { archOfHost } from "../../../arch/registry.ts";
import type { Selection } from "../../../diff/selection.ts";
import { symversFrom } from "../symvers.ts";
import { newUnit } from "./locate.ts";
import { MadeUpImage } from "./made-up-image.fixture.ts";

test("what is exported to modules by their names alone is bound as what is not exported", () => {
  const arch = archOfHost();
  const selection: Selection = {
    ...{ unit: "new.c", arch, funcs: [], moduleExit: undefined, oldCode: [], words: [], newFunctions: [], pieces: [] },
  };
  const vmlinux = new MadeUpImage({ arch });
  for (const [i, name] of ["for_all", "in_space", "for_kvm", "for_cxl", "for_cxl"].entries())
    vmlinux.name(name, 0x1000 + 16 * i);
  const lines = [
    "for_all\tvmlinux\tEXPORT_SYMBOL\t",
    "in_space\tvmlinux\tEXPORT_SYMBOL_GPL\tCRYPTO",
    "for_kvm\tvmlinux\tEXPORT_SYMBOL_GPL\tmodule:kvm,kvm-intel",
    "for_cxl\tvmlinux\tEXPORT_SYMBOL_GPL\tmodule:cxl_core",
    "of_kvm\tarch/x86/kvm/kvm\tEXPORT_SYMBOL_GPL\tmodule:kvm-intel",
  ];
  const symvers = symversFrom(lines.map((line) => `0x00000000\t${line}\n`).join(""), "Module.symvers");
  const unit = newUnit(selection, "vmlinux", { vmlinux, symvers });
  const exported = { kind: "exported", crc: 0, module: undefined };
  expect(unit.external("for_all")?.origin).toEqual({ ...exported, name: "for_all", namespace: undefined });
  expect(unit.external("in_space")?.origin).toEqual({ ...exported, name: "in_space", namespace: "CRYPTO" });
  expect(unit.external("for_kvm")?.origin).toEqual({
    ...{ kind: "livepatch", object: "vmlinux", name: "for_kvm", sympos: 0 },
  });
  for (const name of ["for_cxl", "of_kvm"]) expect(unit.external(name)).toBeUndefined();
});
