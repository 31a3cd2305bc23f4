import { expect, test } from "vitest";
import { debian } from "./debian.ts";

test("a program's package is told, a compiler's by its own name", async () => {
  expect(await debian.toInstall("xz")).toBe("apt-get install xz-utils");
  expect(await debian.toInstall("gcc-12")).toBe("apt-get install gcc-12");
  expect(await debian.toInstall("toString")).toBeUndefined();
});
