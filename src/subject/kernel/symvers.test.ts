import fc from "fast-check";
import { expect, test } from "vitest";
import type { SutureError } from "../../lib/error.ts";
import { symversFrom } from "./symvers.ts";

const LINES = [
  "0x12345678\tprintk\tvmlinux\tEXPORT_SYMBOL\t",
  "0x0000abcd\tkvm_get\tarch/x86/kvm/kvm\tEXPORT_SYMBOL_GPL\tKVM",
  "0xffffffff\tprint\tvmlinux\tEXPORT_SYMBOL\t",
];
const symvers = symversFrom(`${LINES.join("\n")}\n`, "Module.symvers");

test("an exported symbol: CRC, object, licence, namespace", () => {
  expect(symvers.find("printk")).toEqual({
    name: "printk",
    crc: 0x12345678,
    object: "vmlinux",
    gplOnly: false,
    namespace: "",
  });
  expect(symvers.find("kvm_get")).toEqual({
    name: "kvm_get",
    crc: 0xabcd,
    object: "arch/x86/kvm/kvm",
    gplOnly: true,
    namespace: "KVM",
  });
});

test("a name that is part of another is not it", () => {
  expect(symvers.find("print")?.crc).toBe(0xffffffff);
  expect(symvers.find("kvm")).toBeUndefined();
});

test("what stands in another column is no symbol", () => {
  const names = ["vmlinux", "EXPORT_SYMBOL", "KVM", "", "no such", "\t"];
  expect(names.map((name) => symvers.find(name))).toEqual(names.map(() => undefined));
});

test("any text gives a symbol, none, or SYMVERS_CORRUPT", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom("0x00000001", "0x0000zzzz", "a", "\t", "\n", "vmlinux", " ")), (parts) => {
      try {
        symversFrom(parts.join(""), "x").find("a");
      } catch (error) {
        expect((error as SutureError).code).toBe("SYMVERS_CORRUPT");
      }
    }),
  );
});
