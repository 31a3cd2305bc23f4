/** Types of which it is known that the kernel reads them where they lie. */
import { expect, test } from "vitest";
import { typesOf } from "../../builder/type-changes.ts";
import { compiledElf } from "../../diff/compiled.fixture.ts";
import { readInPlace } from "./read-in-place.ts";

const TEXT = `
  struct module; struct net_device;
  struct inode_operations { int (*lookup)(int); int (*get)(int); unsigned flags; };
  struct file_ops { struct module *owner; int (*read)(int); long (*write)(long); unsigned flags; };
  struct seq_operations { int (*show)(void *); };
  struct nla_policy { unsigned char type; unsigned short len; const void *more; };
  struct bin_attribute { const char *name; int (*read)(int); };
  struct attribute_group { const char *name; int (*is_visible)(int); };
  struct key_type { const char *name; int (*vet)(int); };
  extern int one(int);
  const struct inode_operations looked_up = { one, one, 1 };
  const struct file_ops files = { 0, one, 0, 1 };
  const struct seq_operations lines = { 0 };
  const struct nla_policy policy[2][2] = { { { 1, 2, 0 } } };
  const struct bin_attribute attribute = { "x", one };
  const struct attribute_group group = { "x", one };
  struct key_type key = { "x", one };
  const struct { int a; const char *b; } nameless = { 1, "b" };
  int (*const table[])(int) = { one };
  const unsigned char bytes[] = { 1, 2 };
  typedef const unsigned long word_t; word_t word = 3;
  const struct file_ops *const list[] = { &files };
`;

test.each([
  ["looked_up", { functions: true }],
  ["files", {}],
  ["lines", { functions: true, newFunctions: true }],
  ["policy", { contents: true }],
  ["attribute", { functions: true, copied: true }],
  ["group", { copied: true }],
  ["key", { pointers: true }],
  ["nameless", {}],
  ["table", { functions: true, contents: true }],
  ["bytes", { functions: true, contents: true }],
  ["word", { functions: true, contents: true }],
  ["list", {}],
  ["unknown", undefined],
])("%s", (variable, is) => {
  const file = compiledElf(TEXT, ["-gbtf"]);
  expect(readInPlace(file && typesOf(file), variable)).toEqual(is);
});

test("without types nothing is known", () => {
  expect(readInPlace(undefined, "looked_up")).toBeUndefined();
});
