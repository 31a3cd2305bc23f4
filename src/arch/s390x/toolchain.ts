import type { Toolchain } from "../toolchain.ts";

/** How gcc, clang, Node and Debian call it. */
export const toolchain: Toolchain = {
  node: "s390x",
  triple: /^s390x-/,
  width: { any: /^-m(31|64)$/, own: "-m64" },
  multiarch: "s390x-linux-gnu",
  objdump: "s390:64-bit",
};
