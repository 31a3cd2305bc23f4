import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fileBuildId } from "../../process/maps/file-build-id.ts";
import type { SourceVersions } from "../../provider/program/source-versions.ts";
import { runningPackage } from "./outdated.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "suture-outdated-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** The smallest file that has a build-id: an ELF header, one program header and the note. */
function writeProgram(path: string, buildId: string): string {
  const id = Buffer.from(buildId, "hex");
  const note = Buffer.alloc(16 + id.length);
  note.writeUInt32LE(4, 0);
  note.writeUInt32LE(id.length, 4);
  note.writeUInt32LE(3, 8);
  note.write("GNU\0", 12, "latin1");
  id.copy(note, 16);
  const file = Buffer.alloc(64 + 2 * 56);
  file.write("\x7fELF\x02\x01\x01", 0, "latin1");
  file.writeUInt16LE(3, 16);
  file.writeUInt16LE(62, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(64n, 32);
  file.writeUInt16LE(64, 52);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(2, 56);
  const size = BigInt(file.length + note.length);
  for (const [at, type, offset, length] of [
    [64, 1, 0n, size],
    [120, 4, BigInt(file.length), BigInt(note.length)],
  ] as const) {
    file.writeUInt32LE(type, at);
    file.writeUInt32LE(5, at + 4);
    file.writeBigUInt64LE(offset, at + 8);
    file.writeBigUInt64LE(offset, at + 16);
    file.writeBigUInt64LE(length, at + 32);
    file.writeBigUInt64LE(length, at + 40);
  }
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, Buffer.concat([file, note, Buffer.alloc(4096)]));
  return path;
}

/** Versions of a package that ships one server; those that were asked for are noted. */
function made(ids: Readonly<Record<string, string>>, installed: string | undefined) {
  const asked: string[] = [];
  const versions: SourceVersions = {
    name: "made",
    versions: Object.keys(ids),
    installed,
    upstreamOf: (version) => version,
    patches: async () => [],
    spec: (version) => version,
    async files(version) {
      asked.push(version);
      return [{ path: "/usr/sbin/server", file: writeProgram(join(directory, version, "server"), ids[version] ?? "") }];
    },
  };
  return { versions, asked };
}

const running = (buildId: string, ...pids: readonly number[]) => ({ buildId, pids, paths: ["/usr/sbin/server"] });

test("a build that was made for the test is told as programs are", () => {
  expect(fileBuildId(writeProgram(join(directory, "server"), "aabb"))).toBe("aabb");
});

test("what runs as the installed version, and is not the newest, is outdated; nothing else is asked for", async () => {
  const { versions, asked } = made({ v3: "33", v2: "22", v1: "11" }, "v2");
  const { outdated, unknown } = await runningPackage(versions, [running("22", 5, 4)]);
  expect(outdated.map(({ from, to, pids, files }) => [from, to, pids, files.map(({ path }) => path)])).toEqual([
    ["v2", "v3", [4, 5], ["/usr/sbin/server"]],
  ]);
  expect([unknown, asked]).toEqual([[], ["v2"]]);
});

test("what still runs after an upgrade is told by the archive's older version", async () => {
  const { versions } = made({ v3: "33", v2: "22", v1: "11" }, "v3");
  const { outdated, upToDate } = await runningPackage(versions, [running("33", 9), running("11", 4)]);
  expect(outdated.map(({ from, pids }) => [from, pids])).toEqual([["v1", [4]]]);
  expect(upToDate).toEqual([9]);
});

test("a build of no version is told as unknown", async () => {
  const { versions } = made({ v3: "33", v2: "22" }, "v3");
  const { outdated, unknown } = await runningPackage(versions, [
    running("77", 4),
    { ...running("88", 5), paths: ["/bin/other"] },
  ]);
  expect([outdated, unknown.map(({ buildId }) => buildId)]).toEqual([[], ["77"]]);
});
