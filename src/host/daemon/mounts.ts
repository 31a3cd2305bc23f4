/** File systems on which programs may lie. */
import { readFileSync } from "node:fs";

/** Those that the kernel makes up, and has no programs on. */
const WITHOUT_PROGRAMS = new Set(
  "autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts efivarfs fusectl hugetlbfs mqueue nsfs proc pstore rpc_pipefs securityfs selinuxfs sysfs tracefs".split(
    " ",
  ),
);

/** A place where each file system can be reached, by its device. Source: proc_pid_mountinfo(5). */
export function mountPoints(text: string = readFileSync("/proc/self/mountinfo", "utf8")): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    const [, , device, , point] = before.split(" ");
    const [type = ""] = after.split(" ");
    if (device === undefined || point === undefined || WITHOUT_PROGRAMS.has(type) || found.has(device)) continue;
    found.set(device, decoded(point));
  }
  return found;
}

/** Blanks and backslashes are written as `\040`, in the digits of base 8. */
function decoded(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
