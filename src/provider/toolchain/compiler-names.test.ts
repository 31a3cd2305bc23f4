import { expect, test } from "vitest";
import { candidateNames, identityOf, isClang, packagedCompiler, packageHint } from "./compiler-names.ts";

const GCC = "x86_64-linux-gnu-gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0";
const CLANG = "Debian clang version 14.0.6";
const OWN_CLANG = "clang version 19.1.7 (https://github.com/llvm/llvm-project.git cd708029e0b2)";

test("gcc is told from others but not by the name it is called by, and clang by all that it says", () => {
  expect(identityOf(GCC)).toBe(identityOf("gcc (Debian 12.2.0-14+deb12u1) 12.2.0"));
  expect(identityOf(CLANG)).not.toBe(identityOf("Ubuntu clang version 14.0.6"));
  expect(identityOf(CLANG)).not.toBe(identityOf("clang version 14.0.6"));
  expect([GCC, CLANG, OWN_CLANG].map((text) => isClang({ text }))).toEqual([false, true, true]);
});

test("each is looked for by its own names", () => {
  expect(candidateNames(GCC)).toEqual(["x86_64-linux-gnu-gcc-12", "gcc-12", "gcc"]);
  expect(candidateNames(CLANG)).toEqual(["clang-14", "clang"]);
  expect(candidateNames(OWN_CLANG)).toEqual(["clang-19", "clang"]);
});

test("the package of one is named as far as it is known", () => {
  expect(packageHint(GCC)).toBe("apt-get install gcc-12=12.2.0-14+deb12u1");
  expect(packageHint(CLANG)).toBe("apt-get install clang-14");
  expect(packageHint(OWN_CLANG)).toBe("install that compiler");
  expect(packagedCompiler(CLANG)).toBeUndefined();
});
