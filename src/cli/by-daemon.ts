/** Commands that the daemon carries out, where there is one: it has read and compiled what a command reads first. */

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { fileIdentity, PROTOCOL_VERSION, type Request, socketPath } from "../host/daemon/protocol.ts";
import { hostPaths } from "../host/paths.ts";
import { SutureError } from "../lib/error.ts";
import { isCarriedOut, isOfTerminal, kindOf } from "./carried-out.ts";
import type { Command, Given, Outcome } from "./command.ts";
import type { Json } from "./documents.ts";

/** The codes of what a command lets in and the daemon does not, where nobody has decided otherwise. */
const STRICTER = new Set(["UNSIGNED_LIVEPATCH", "UNKNOWN_KEY"]);

/** The daemon's answer; undefined where this command does without it. Throws the signal's reason, and the error that the command ended with. */
export async function outcomeByDaemon(
  command: Command,
  { arguments: words, options }: Given,
  signal: AbortSignal,
): Promise<Outcome<Json> | undefined> {
  const { name } = command;
  const path = socketPath(hostPaths());
  // What is installed is let in by who asks for all of it.
  const isAll = name === "load" && words.length === 0;
  if (!isCarriedOut(name) || isAll || isOfTerminal(options) || words.includes("-") || !existsSync(path))
    return undefined;
  const { askDaemon } = await import("../host/daemon/client.ts");
  const isFile = (index: number): boolean => kindOf(command, index) === "file";
  const given = words.map((word, index) => (isFile(index) ? resolve(word) : word));
  const files = Object.fromEntries(given.filter((_, i) => isFile(i)).map((file) => [file, fileIdentity(file) ?? ""]));
  const request: Request = { version: PROTOCOL_VERSION, command: name, arguments: given, options, files };
  const reply = await askDaemon(path, request, signal);
  if (reply === undefined) return undefined;
  if ("error" in reply) {
    const { code, what, where, hint } = reply.error;
    // Of a daemon of another version, for what this user may do without it, and of a file that the daemon does not see.
    if (code === "NEWER_FORMAT" || code === "NOT_PERMITTED" || code === "FILE_UNREADABLE") return undefined;
    throw new SutureError(code as "SYSTEM_ERROR", what, { where, hint, exit: reply.exit });
  }
  if (reply.problems.some(({ code }) => STRICTER.has(code))) return undefined;
  return { exit: reply.exit, json: reply.json as Json, lines: reply.lines, problems: reply.problems };
}
