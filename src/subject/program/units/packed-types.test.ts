import { describe, expect, test } from "vitest";
import { repackedTypes } from "./packed-types.ts";

const PLAIN = "struct pair { long a, b; };\ntypedef struct { int a; } one_t;\nstruct other { char c; } there;\n";

describe("a type that is packed in one of the two texts alone", () => {
  test.each([
    ["behind its members", PLAIN.replace("b; }", "b; } __attribute__((packed))"), ["pair"]],
    ["before its name", PLAIN.replace("struct pair", "struct __attribute__((__packed__, aligned(1))) pair"), ["pair"]],
    ["by a macro", PLAIN.replace("b; }", "b; } MY_PACKED"), ["pair"]],
    ["by a macro before its name", PLAIN.replace("struct pair", "struct QEMU_PACKED pair"), ["pair"]],
    ["without a name of its own", PLAIN.replace("a; } one_t", "a; } __packed one_t"), ["one_t"]],
    ["with its variable", PLAIN.replace("c; } there", "c; } __packed there"), ["other"]],
    [
      "of which the bytes are turned round",
      PLAIN.replace("b; }", 'b; } __attribute__((scalar_storage_order("big-endian")))'),
      ["pair"],
    ],
    ["by a pragma", `#pragma pack(push, 1)\n${PLAIN}#pragma pack(pop)\n`, ["pair", "one_t", "other"]],
  ])("%s", (_, packed, names) => {
    expect(repackedTypes(PLAIN, packed)).toEqual(names);
    expect(repackedTypes(packed, PLAIN)).toEqual(names);
    expect(repackedTypes(packed, packed.replace("int a", "short a"))).toEqual([]);
  });
});

test.each([
  ["a new one", `${PLAIN}struct more { int a; } __attribute__((packed));\n`],
  ["one that is only named", `${PLAIN}struct pair *packed_pair(struct pair *p);\n`],
  [
    "a comment and a string",
    `${PLAIN.replace("struct pair {", "struct pair { /* packed */")}const char *s = "} packed";\n`,
  ],
  ["a member that has the word", PLAIN.replace("long a, b;", "long a, packed_b;")],
])("%s is none", (_, text) => {
  expect(repackedTypes(PLAIN, text)).toEqual([]);
});
