import { expect, test } from "vitest";
import { checkAccounted } from "./config-accounted.ts";
import { parseConfig } from "./kernel.ts";

const check =
  (...options: readonly string[]) =>
  (): void =>
    checkAccounted(parseConfig(options.map((option) => `CONFIG_${option}=y\n`).join("")), ".config");

test.each(["LTO_CLANG", "LTO_GCC"])("a kernel with CONFIG_%s is refused for its link-time optimization", (option) => {
  expect(check("CC_IS_CLANG", option)).toThrow(expect.objectContaining({ code: "LINK_TIME_OPTIMIZED" }));
});

test.each(["CFI_CLANG", "CFI", "AUTOFDO_CLANG", "KASAN", "UBSAN"])(
  "one of clang with CONFIG_%s is refused by name",
  (option) => {
    expect(check("CC_IS_CLANG", option)).toThrow(
      expect.objectContaining({ code: "KERNEL_CONFIG_UNUSABLE", where: `.config: CONFIG_${option}=y` }),
    );
  },
);

test("a plain one, of either compiler, is not", () => {
  expect(check("CC_IS_CLANG", "LTO_NONE", "AS_IS_LLVM", "LD_IS_LLD")).not.toThrow();
  expect(check("CC_IS_CLANG", "UBSAN", "UBSAN_TRAP")).not.toThrow();
  expect(check("CC_IS_GCC", "UBSAN")).not.toThrow();
});
