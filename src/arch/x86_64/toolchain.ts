import type { Toolchain } from "../toolchain.ts";

/** How gcc, clang, Node and Debian call it. */
export const toolchain: Toolchain = {
  node: "x64",
  triple: /^(x86_64|amd64)-(?!.*x32)/,
  width: { any: /^-m(16|32|x32|64)$/, own: "-m64" },
  multiarch: "x86_64-linux-gnu",
  objdump: "i386:x86-64",
};
