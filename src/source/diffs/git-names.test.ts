import { expect, test } from "vitest";
import { gitNames } from "./git-names.ts";

test.each([
  ["diff --git a/net/tcp.c b/net/tcp.c", "a/net/tcp.c", "b/net/tcp.c"],
  ["diff --git i/net/tcp.c w/net/tcp.c", "i/net/tcp.c", "w/net/tcp.c"],
  ["diff --git net/tcp.c net/tcp.c", "net/tcp.c", "net/tcp.c"],
  ["diff --git a/net/my file.c b/net/my file.c", "a/net/my file.c", "b/net/my file.c"],
  ["diff --git x x", "x", "x"],
])("%s", (line, old, now) => {
  expect(gitNames(line)).toEqual({ old, now });
});

test.each([
  ["of two files", "diff --git a/old.c b/new.c"],
  ["in two ways", "diff --git x y/x y/x y/x"],
  ["quoted", 'diff --git "a/net/\\303\\251.c" "b/net/\\303\\251.c"'],
  ["not git's", "diff -u a/net/tcp.c b/net/tcp.c"],
])("%s: none", (_, line) => {
  expect(gitNames(line)).toBeUndefined();
});
