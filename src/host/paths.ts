/** Where suture keeps what lasts on a machine. */
import { join } from "node:path";

/** Absolute paths. Below $SUTURE_ROOT where that is set, as for an image of a system that does not run. */
export interface HostPaths {
  /** Configuration, written by administrators alone. */
  readonly configuration: string;
  /** Public keys that are trusted, a file each. */
  readonly keys: string;
  /** What is kept over reboots: the database and the files of installed livepatches. */
  readonly state: string;
  /** What is gone with a reboot: the daemon's socket. */
  readonly runtime: string;
  /** The socket on which the machine's journal takes entries. */
  readonly journal: string;
}

/** Throws nothing; whether the directories are there is asked by who uses them. */
export function hostPaths(env: NodeJS.ProcessEnv = process.env): HostPaths {
  const root = env["SUTURE_ROOT"] || "/";
  return {
    configuration: join(root, "etc/suture"),
    keys: join(root, "etc/suture/keys"),
    state: join(root, "var/lib/suture"),
    runtime: join(root, "run/suture"),
    journal: join(root, "run/systemd/journal/socket"),
  };
}
