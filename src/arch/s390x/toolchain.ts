import type { Toolchain } from "../toolchain.ts";

export const toolchain: Toolchain = {
  node: "s390x",
  triple: /^s390x-/,
  width: { any: /^-m(31|64)$/, own: "-m64" },
  multiarch: "s390x-linux-gnu",
};
