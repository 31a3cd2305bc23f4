import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../lib/temp.ts";
import { jumpLabels } from "./jump-label.ts";

/** What the kernel's linux/jump_label.h makes of the two branches. */
const PROGRAM = `
#include <stdbool.h>
#include <stdio.h>
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
struct static_key { struct { int counter; } enabled; };
#include "jump_label.h"
#include "jump_label.h"
#define static_key_false(k) arch_static_branch(k, false)
#define static_key_true(k) !arch_static_branch(k, true)
#define likely_of_false(k) !arch_static_branch_jump(k, true)
#define unlikely_of_true(k) arch_static_branch_jump(k, false)
int main(void) {
  for (int count = -1; count < 3; count++) {
    struct static_key key = { { count } };
    printf("%d %d %d %d %d\\n", count, static_key_false(&key), static_key_true(&key), likely_of_false(&key), unlikely_of_true(&key));
  }
}`;

const HEADER = `
#ifndef _ASM_X86_JUMP_LABEL_H
#define _ASM_X86_JUMP_LABEL_H
static __always_inline bool arch_static_branch(struct static_key *key, bool branch) { return *(volatile bool *)0; }
static __always_inline bool arch_static_branch_jump(struct static_key *const key, const bool branch) { return *(volatile bool *)0; }
#endif
`;

test("each branch is taken as the key says: off at 0, on at any other count", async () => {
  await using directory = await temporaryDirectory();
  const at = (name: string) => join(directory.path, name);
  writeFileSync(at("jump_label.h"), jumpLabels.rewritten(HEADER));
  writeFileSync(at("a.c"), PROGRAM);
  execFileSync("gcc", ["-O2", "-Wall", "-Werror", "-o", at("a"), at("a.c")]);
  expect(execFileSync(at("a"), { encoding: "utf8" })).toBe("-1 1 1 1 1\n0 0 0 0 0\n1 1 1 1 1\n2 1 1 1 1\n");
});
