import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SutureError } from "../lib/error.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../lib/temp.ts";
import { readConfiguration } from "./configuration.ts";
import { type HostPaths, hostPaths } from "./paths.ts";

let directory: TemporaryDirectory;
let paths: HostPaths;
beforeEach(async () => {
  directory = await temporaryDirectory();
  paths = hostPaths({ SUTURE_ROOT: directory.path });
  mkdirSync(paths.configuration, { recursive: true, mode: 0o755 });
});
afterEach(async () => await directory[Symbol.asyncDispose]());

const write = (text: string | Buffer): void =>
  writeFileSync(join(paths.configuration, "suture.conf"), text, { mode: 0o644 });

test("with no file, and with an empty one, nothing is set", async () => {
  expect(await readConfiguration(paths)).toEqual({});
  write("");
  expect(await readConfiguration(paths)).toEqual({});
});

test("comments and spaces mean nothing", async () => {
  write("# who may sign\n\n  require-signatures=yes  \n\t# the end\n");
  expect(await readConfiguration(paths)).toEqual({ "require-signatures": true });
  write("require-signatures = no");
  expect(await readConfiguration(paths)).toEqual({ "require-signatures": false });
});

test.each([
  ["another name", "require-signature = yes\n", 1],
  ["another value", "\nrequire-signatures = true\n", 2],
  ["no value", "require-signatures =\n", 1],
  ["a value in capitals", "require-signatures = YES\n", 1],
  ["a comment behind a value", "require-signatures = no # for now\n", 1],
  ["the same twice", "require-signatures = yes\nrequire-signatures = no\n", 2],
  ["a name that every object has", "constructor = yes\n", 1],
])("%s is CONFIGURATION_UNREADABLE, with the line", async (_what, text, line) => {
  write(text);
  await expect(readConfiguration(paths)).rejects.toMatchObject({
    code: "CONFIGURATION_UNREADABLE",
    where: expect.stringMatching(new RegExp(`suture\\.conf, line ${line}$`)),
  });
});

test("whatever is in it, it is understood in full or refused", async () => {
  const line = fc.oneof(fc.constantFrom("require-signatures = yes", "# a", "", "require-signatures"), fc.string());
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 4 }), async (lines) => {
      write(lines.join("\n"));
      try {
        const { "require-signatures": required } = await readConfiguration(paths);
        const says = lines.some((each) => /^\s*require-signatures\s*=\s*yes\s*$/m.test(each));
        expect(required).toBe(says ? true : required === false ? false : undefined);
      } catch (error) {
        expect(error).toBeInstanceOf(SutureError);
        expect(error).toMatchObject({ code: "CONFIGURATION_UNREADABLE" });
      }
    }),
    { numRuns: 200 },
  );
});

test("one that others can write to decides nothing", async () => {
  write("require-signatures = no\n");
  chmodSync(join(paths.configuration, "suture.conf"), 0o666);
  await expect(readConfiguration(paths)).rejects.toMatchObject({ code: "TRUST_NOT_SAFE" });
});
