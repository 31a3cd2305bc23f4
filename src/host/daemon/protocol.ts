/**
 * What is said on the daemon's socket: one line of JSON each way, and then the connection ends. A line says the
 * version of the protocol; keys that are not known are passed over, as docs/versions.md has it.
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import type { ExitCode, Problem } from "../../lib/error.ts";
import type { HostPaths } from "../paths.ts";

/** Raised where an older one would do something false. */
export const PROTOCOL_VERSION = 1;

/** One line, to the daemon: a command as it was typed; paths are absolute. */
export interface Request {
  readonly version: number;
  readonly command: string;
  readonly arguments: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
  /** Of each file among the arguments, which file it is for who asks: a path may lead the daemon to another one. */
  readonly files?: Readonly<Record<string, string>> | undefined;
}

/** One line, from the daemon: what the command would have printed, or the error that it ended with. */
export type Reply =
  | {
      readonly version: number;
      readonly exit: ExitCode;
      readonly json: unknown;
      readonly lines: readonly string[];
      readonly problems: readonly Problem[];
    }
  | { readonly version: number; readonly exit: ExitCode; readonly error: Problem };

/** Where the daemon listens. */
export function socketPath({ runtime }: Pick<HostPaths, "runtime">): string {
  return join(runtime, "sutured.sock");
}

/** A reply of this version; undefined for anything else. Who may write to the socket's directory is root. */
export function replyIn(line: string): Reply | undefined {
  try {
    const reply = JSON.parse(line) as Reply;
    if (reply.version !== PROTOCOL_VERSION || typeof reply.exit !== "number") return undefined;
    if ("error" in reply) return typeof reply.error.code === "string" ? reply : undefined;
    return Array.isArray(reply.lines) && Array.isArray(reply.problems) ? reply : undefined;
  } catch {
    return undefined;
  }
}

/** A file by device and inode, which are the same in all mount namespaces; undefined where there is none. */
export function fileIdentity(path: string): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found && `${found.dev}:${found.ino}`;
}
