/** What a machine is started with: an ext4 image of a root file system, and the small one that leads to it. */
import { copyFile, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { archOfHost, vmOf } from "../../src/arch/registry.ts";
import { run } from "../../src/lib/run.ts";
import { temporaryDirectory } from "../../src/lib/temp.ts";
import { systemFiles } from "../../src/rehearse/guest.ts";
import { writeInitramfs } from "../../src/rehearse/initramfs.ts";
import { ModuleTree } from "../../src/rehearse/module-tree.ts";

const SIZE = "2G";

/**
 * Writes the image. Owners are kept, so that root alone can make one. In it are the
 * agent, and none of what starts by the clock.
 */
export async function writeDisk(tar: string, image: string): Promise<void> {
  await using directory = await temporaryDirectory();
  const root = join(directory.path, "root");
  await mkdir(root);
  await run("tar", ["--extract", "--numeric-owner", "--file", tar, "--directory", root], { check: true });
  await copyFile(join(import.meta.dirname, "agent.pl"), join(root, "opt/agent.pl"));
  const units = join(root, "etc/systemd/system");
  await copyFile(join(import.meta.dirname, "agent.service"), join(units, "agent.service"));
  await mkdir(join(units, "sysinit.target.wants"), { recursive: true });
  await symlink("../agent.service", join(units, "sysinit.target.wants/agent.service"));
  for (const unit of MASKED) await symlink("/dev/null", join(units, unit));
  await writeFile(join(root, "etc/fstab"), "/dev/vda / ext4 errors=remount-ro 0 1\n");
  await writeFile(join(root, "etc/hostname"), "debian\n");
  await run("mke2fs", ["-q", "-F", "-t", "ext4", "-d", root, image, SIZE], { check: true });
}

const MASKED = [
  "apt-daily.timer",
  "apt-daily-upgrade.timer",
  "dpkg-db-backup.timer",
  "e2scrub_all.timer",
  "fstrim.timer",
  "systemd-tmpfiles-clean.timer",
  "serial-getty@ttyS0.service",
];

/** Writes the first file system of a kernel, which finds the disk and goes on from it. */
export async function writeInitrd(modules: string, file: string): Promise<void> {
  const tree = await ModuleTree.open(modules);
  const needed = new Map<string, Buffer>();
  for (const name of ["virtio_pci", "virtio_blk"])
    for (const module of await tree.loadOrder(name)) needed.set(module.name, module.data);
  const init = [
    "#!/bin/sh",
    "mount -t devtmpfs devtmpfs /dev",
    "mount -t proc proc /proc",
    ...[...needed.keys()].map((name) => `insmod /modules/${name}.ko`),
    "while [ ! -b /dev/vda ]; do usleep 10000; done",
    "mkdir -p /root",
    "mount -t ext4 /dev/vda /root",
    "busybox umount /proc",
    "mount --move /dev /root/dev",
    "exec busybox switch_root /root /sbin/init",
  ];
  await writeInitramfs(file, [
    ...(await systemFiles("", vmOf(archOfHost()))),
    ...[...needed].map(([name, data]) => ({ kind: "data" as const, path: `/modules/${name}.ko`, data })),
    { kind: "data", path: "/init", data: init.map((line) => `${line}\n`).join(""), mode: 0o755 },
  ]);
}
