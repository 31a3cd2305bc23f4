/** Types of which it is known that the kernel reads them where they lie. */
import { expect, test } from "vitest";
import { typesOf } from "../../builder/type-changes.ts";
import { compiledElf } from "../../diff/compiled.fixture.ts";
import { readInPlace } from "./read-in-place.ts";

const TEXT = `
  struct module; struct net_device;
  struct file_ops { struct module *owner; int (*read)(int); long (*write)(long); unsigned flags; };
  struct nf_hook_ops { int (*hook)(int); struct net_device *dev; void *priv; int pf; };
  struct described { const char *name; int (*get)(int); };
  struct seq_operations { int (*show)(void *); };
  struct nla_policy { unsigned char type; unsigned short len; const void *more; };
  struct bin_attribute { const char *name; int (*read)(int); };
  extern int one(int);
  const struct file_ops files = { 0, one, 0, 1 };
  const struct nf_hook_ops hooks[] = { { one, 0, 0, 2 } };
  const struct described described = { "x", one };
  const struct seq_operations lines = { 0 };
  const struct nla_policy policy[2][2] = { { { 1, 2, 0 } } };
  struct attribute_group { const char *name; int (*is_visible)(int); };
  const struct attribute_group group = { "x", one };
  const struct bin_attribute attribute = { "x", one };
  const struct { int a; const char *b; } nameless = { 1, "b" };
  int (*const table[])(int) = { one };
  const unsigned char bytes[] = { 1, 2 };
  typedef const unsigned long word_t; word_t word = 3;
  struct neigh_ops { int family; int (*output)(int); };
  const struct neigh_ops cached = { 2, one };
  const struct file_ops tty_fops = { 0, one, 0, 1 };
  struct host_ops { int (*request)(int); };
  struct host { int id; struct host_ops ops[1]; } host;
  const struct host_ops copied = { one };
  struct test_ops { int (*run)(int); };
  const struct test { const struct test_ops ops; } tests = { { one } };
  const struct test_ops constant = { one };
  const struct host *const list[] = { &host };
`;

test.each([
  ["files", { functions: true, contents: false }],
  ["hooks", { functions: false, contents: false }],
  ["described", { functions: false, contents: false }],
  ["lines", { functions: true, contents: false }],
  ["policy", { functions: false, contents: true }],
  ["attribute", { functions: true, contents: false }],
  ["group", { functions: false, contents: false }],
  ["nameless", { functions: false, contents: false }],
  ["table", { functions: true, contents: true }],
  ["bytes", { functions: true, contents: true }],
  ["word", { functions: true, contents: true }],
  ["cached", { functions: false, contents: false }],
  ["tty_fops", { functions: false, contents: false }],
  ["copied", { functions: false, contents: false }],
  ["constant", { functions: true, contents: false }],
  ["list", { functions: false, contents: false }],
  ["unknown", undefined],
])("%s", (variable, is) => {
  const file = compiledElf(TEXT, ["-gbtf"]);
  expect(readInPlace(file && typesOf(file), variable)).toEqual(is);
});

test("a place for a copy that the image's types show", () => {
  const image = compiledElf(
    "struct file_ops { int (*read)(int); }; struct held { int id; struct file_ops ops; } held;",
    ["-gbtf"],
  );
  const unit = compiledElf(TEXT, ["-gbtf"]);
  const is = readInPlace(unit && typesOf(unit), "files", image && typesOf(image));
  expect(is).toEqual({ functions: false, contents: false });
});

test("without types nothing is known", () => {
  expect(readInPlace(undefined, "files")).toBeUndefined();
});
