/** Which boot of the machine this is. */
import { readFileSync } from "node:fs";

/** Another one after each boot: random(4). `root` is the root of the file system. */
export function bootId(root = "/"): string {
  return readFileSync(`${root}/proc/sys/kernel/random/boot_id`, "latin1").trim();
}
