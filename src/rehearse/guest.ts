import { readFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { VmAbi } from "../arch/vm-abi.ts";
import { readElf } from "../elf/read.ts";
import { ProgramMissing } from "../lib/program-missing.ts";
import { GUEST_FUNCTIONS } from "./guest-functions.ts";
import type { GuestFile } from "./initramfs.ts";
import type { KernelModule } from "./module-tree.ts";

/** Where the guest keeps the output of jobs, and the livepatches. */
export const GUEST_DIRECTORY = "/suture";

/**
 * The guest's first program. It makes a minimal system, says `TOKEN hello` on
 * the second serial port, and then does one job a line: `TOKEN ID COMMAND`.
 * The answer is `TOKEN ID STATUS BYTES` and the BYTES bytes that the command
 * printed. Around each job it writes a mark to the kernel log, so that every
 * line of the log belongs to a job. On `TOKEN off` it powers off.
 */
const init = ({ ports }: VmAbi): string => `#!/bin/sh
export PATH=/bin:/sbin HOME=/root LC_ALL=C
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm /run /tmp /root /etc ${GUEST_DIRECTORY}/jobs
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
[ -e /sys/module/cryptomgr/parameters/notests ] && echo N > /sys/module/cryptomgr/parameters/notests
echo 'root:x:0:0:root:/root:/bin/sh' > /etc/passwd
echo 'root:x:0:' > /etc/group
. /suture/functions
read -r token < /suture/token
exec 3<> /dev/${ports.answers}
stty raw -echo <&3
printf '%s hello\\n' "$token" >&3
while read -r given id command <&3; do
  [ "$given" = "$token" ] || continue
  [ "$id" = off ] && break
  echo "<5>suture $token begin $id" > /dev/kmsg
  ( eval "$command" ) > ${GUEST_DIRECTORY}/jobs/out 2>&1 < /dev/null 3>&-
  status=$?
  echo "<5>suture $token end $id" > /dev/kmsg
  tail -c 65536 ${GUEST_DIRECTORY}/jobs/out > ${GUEST_DIRECTORY}/jobs/tail
  printf '%s %s %s %s\\n' "$token" "$id" "$status" "$(stat -c %s ${GUEST_DIRECTORY}/jobs/tail)" >&3
  cat ${GUEST_DIRECTORY}/jobs/tail >&3
done
poweroff -f
`;

/** The files every guest has: its init, and busybox with all of its applets. */
export async function systemFiles(token: string, machine: VmAbi): Promise<GuestFile[]> {
  const busybox = await findBusybox();
  return [
    { kind: "data", path: "/init", data: init(machine), mode: 0o755 },
    { kind: "data", path: "/suture/token", data: `${token}\n` },
    { kind: "data", path: "/suture/functions", data: GUEST_FUNCTIONS },
    ...["/proc", "/sys", "/dev"].map((path): GuestFile => ({ kind: "directory", path })),
    { kind: "copy", path: "/bin/busybox", from: busybox, mode: 0o755 },
    ...APPLETS.map((name): GuestFile => ({ kind: "symlink", path: `/bin/${name}`, target: "busybox" })),
    { kind: "symlink", path: "/sbin/modprobe", target: "../bin/busybox" },
  ];
}

/**
 * Modules below /lib/modules/RELEASE, with the tables by which `modprobe`, the
 * user's or the kernel's own, finds them; depmod has not run on the host.
 */
export function moduleFiles(release: string, modules: readonly KernelModule[]): GuestFile[] {
  const directory = `/lib/modules/${release}`;
  const byName = new Map(modules.map((module) => [module.name, module]));
  const closure = (module: KernelModule, seen: Set<KernelModule>): Set<KernelModule> => {
    for (const name of module.info.depends) {
      const each = byName.get(name);
      if (each === undefined || seen.has(each)) continue;
      seen.add(each);
      closure(each, seen);
    }
    return seen;
  };
  const dependsLine = (module: KernelModule): string =>
    `${module.path}: ${[...closure(module, new Set())].map((each) => each.path).join(" ")}`.trimEnd();
  const aliasLines = (module: KernelModule): string[] =>
    module.info.aliases.map((alias) => `alias ${alias} ${module.name}`);
  return [
    ...[...byName.values()].map(
      (module): GuestFile => ({ kind: "data", path: `${directory}/${module.path}`, data: module.data }),
    ),
    { kind: "data", path: `${directory}/modules.dep`, data: lines([...byName.values()].map(dependsLine)) },
    { kind: "data", path: `${directory}/modules.alias`, data: lines([...byName.values()].flatMap(aliasLines)) },
    { kind: "data", path: `${directory}/modules.symbols`, data: "" },
  ];
}

/** One word of a shell command. */
export function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join("");
}

const PT_INTERP = 3;

/** A busybox that needs no shared library: the first of that name in PATH or /bin that is one. */
async function findBusybox(): Promise<string> {
  const directories = [
    ...(process.env["PATH"] ?? "").split(delimiter).filter((each) => each !== ""),
    "/bin",
    "/usr/bin",
  ];
  for (const directory of directories) {
    const path = join(directory, "busybox");
    const data = await readFile(path).catch(() => undefined);
    if (data !== undefined && readElf(data, path).programHeaders.every(({ type }) => type !== PT_INTERP)) return path;
  }
  throw new ProgramMissing("busybox", { kind: "a statically linked" });
}

const APPLETS = (
  "[ [[ arch arping ash awk base64 basename bc bunzip2 cat chgrp chmod chown chroot cmp comm cp cpio cut date dc dd " +
  "depmod devmem df diff dirname dmesg du echo egrep env expand expr factor fallocate false fgrep find flock fold free " +
  "fsfreeze fstrim fuser getopt grep groups gunzip gzip head hexdump hostname id ifconfig insmod ip ipcs ipcrm kill " +
  "killall less link ln losetup ls lsmod lsof lsscsi md5sum mkdir mke2fs mkfifo mknod mkswap mktemp modinfo modprobe more " +
  "mount mountpoint mv nc netstat nice nl nohup nproc nsenter nslookup od paste patch pgrep pidof ping ping6 pivot_root " +
  "pkill poweroff printenv printf ps pwd readlink realpath reboot renice rev rm rmdir rmmod route sed seq setsid sh " +
  "sha1sum sha256sum sha512sum shred shuf sleep sort split stat strings stty su swapoff swapon sync sysctl tac tail tar " +
  "taskset tc tee telnet test time timeout top touch tr traceroute true truncate tty uname unexpand uniq unlink unshare " +
  "uptime usleep vconfig vi watch wc wget which who whoami xargs xxd xz xzcat yes zcat"
).split(" ");
