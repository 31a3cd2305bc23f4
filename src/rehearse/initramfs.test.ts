import { mkdir, readFile, readlink, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { run } from "../lib/run.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../lib/temp.ts";
import { type GuestFile, writeInitramfs } from "./initramfs.ts";

async function unpacked(directory: TemporaryDirectory, files: readonly GuestFile[]): Promise<string> {
  const archive = join(directory.path, "archive");
  const root = join(directory.path, "root");
  const bytes = await writeInitramfs(archive, files);
  expect((await stat(archive)).size).toBe(bytes);
  await mkdir(root);
  await run("busybox", ["cpio", "-id"], { cwd: root, input: await readFile(archive), check: true });
  return root;
}

test("another program unpacks what was put in: data, copies, links, directories, permissions", async () => {
  await using directory = await temporaryDirectory();
  const source = join(directory.path, "source");
  const large = Buffer.alloc(100_001, "x");
  await writeFile(source, large, { mode: 0o750 });
  const root = await unpacked(directory, [
    { kind: "data", path: "/init", data: "#!/bin/sh\n", mode: 0o755 },
    { kind: "copy", path: "/deep/er/copy", from: source },
    { kind: "copy", path: "/deep/other", from: source, mode: 0o600 },
    { kind: "symlink", path: "/bin/sh", target: "busybox" },
    { kind: "directory", path: "/proc" },
    { kind: "data", path: "/a", data: "" },
    { kind: "data", path: "/ünï", data: "ç" },
  ]);
  expect(await readFile(join(root, "init"), "utf8")).toBe("#!/bin/sh\n");
  expect((await stat(join(root, "init"))).mode & 0o777).toBe(0o755);
  expect(large.equals(await readFile(join(root, "deep/er/copy")))).toBe(true);
  expect((await stat(join(root, "deep/er/copy"))).mode & 0o777).toBe(0o750);
  expect((await stat(join(root, "deep/other"))).mode & 0o777).toBe(0o600);
  expect(await readlink(join(root, "bin/sh"))).toBe("busybox");
  expect((await stat(join(root, "proc"))).isDirectory()).toBe(true);
  expect(await readFile(join(root, "a"), "utf8")).toBe("");
  expect(await readFile(join(root, "ünï"), "utf8")).toBe("ç");
});

test("of a path given twice, the last one counts", async () => {
  await using directory = await temporaryDirectory();
  const root = await unpacked(directory, [
    { kind: "data", path: "/a", data: "first" },
    { kind: "data", path: "/a", data: "last" },
  ]);
  expect(await readFile(join(root, "a"), "utf8")).toBe("last");
});

test("the same files give the same bytes, whenever and from whenever they are", async () => {
  await using directory = await temporaryDirectory();
  const from = join(directory.path, "from");
  await writeFile(from, "of the host");
  const files: GuestFile[] = [
    { kind: "data", path: "/x/y", data: "z" },
    { kind: "copy", path: "/copied", from },
  ];
  const archives: Buffer[] = [];
  for (const [index, now] of ["2001-01-01", "2031-01-01"].map((day) => new Date(day)).entries()) {
    vi.useFakeTimers({ toFake: ["Date"], now });
    await utimes(from, now, now);
    const path = join(directory.path, `archive${index}`);
    await writeInitramfs(path, files);
    vi.useRealTimers();
    archives.push(await readFile(path));
  }
  expect(archives[0]?.equals(archives[1] as Buffer)).toBe(true);
});

test.each(["relative", "/", "/a/../b", "/a\0b", ""])("%j is refused as a path of the guest", async (path) => {
  await using directory = await temporaryDirectory();
  const archive = join(directory.path, "archive");
  const writing = writeInitramfs(archive, [{ kind: "data", path, data: "" }]);
  await expect(writing).rejects.toMatchObject({ code: "GUEST_PATH" });
});

test("a file of the guest is refused in the place of a directory", async () => {
  await using directory = await temporaryDirectory();
  const writing = writeInitramfs(join(directory.path, "archive"), [
    { kind: "data", path: "/a", data: "" },
    { kind: "data", path: "/a/b", data: "" },
  ]);
  await expect(writing).rejects.toMatchObject({ code: "GUEST_PATH" });
});

test("a file of the host that is not there is named", async () => {
  await using directory = await temporaryDirectory();
  const from = join(directory.path, "missing");
  const writing = writeInitramfs(join(directory.path, "archive"), [{ kind: "copy", path: "/a", from }]);
  await expect(writing).rejects.toMatchObject({ code: "GUEST_FILE_UNREADABLE", where: from });
});

test("a full disk is named as one", async () => {
  const writing = writeInitramfs("/dev/full", [{ kind: "data", path: "/a", data: "b" }]);
  await expect(writing).rejects.toMatchObject({ code: "DISK_FULL" });
});
