/** Carries out a command for somebody, in the daemon. */
import { fileIdentity, PROTOCOL_VERSION, type Reply, type Request } from "../host/daemon/protocol.ts";
import { SutureError } from "../lib/error.ts";
import { silentProgress } from "../lib/progress.ts";
import { isCarriedOut, isOfTerminal, kindOf } from "./carried-out.ts";
import type { Context, Given } from "./command.ts";

/** Throws `USAGE` for what is no command that the daemon carries out, and what the command throws. */
export async function carryOut(
  { command: name, arguments: words, options, files = {} }: Request,
  context: Pick<Context, "commands" | "cache" | "signal">,
): Promise<Reply> {
  const found = isCarriedOut(name) ? context.commands.find((each) => each.name === name) : undefined;
  if (found === undefined || isOfTerminal(options))
    throw new SutureError("USAGE", `the daemon does not carry that out: ${name}`, { hint: "suture --help" });
  // Its /tmp is another one, and so are the descriptors below /dev/fd.
  for (const path of words.filter((_, index) => kindOf(found, index) === "file"))
    if (files[path] === undefined || fileIdentity(path) !== files[path])
      throw new SutureError("FILE_UNREADABLE", "the daemon does not see the same file", { where: path });
  const given = Object.entries(found.options).map(([long, option]) => {
    const absent = option.kind === "flag" ? false : option.many === true ? [] : undefined;
    return [long, options[long] ?? absent] as const;
  });
  const full: Context = { ...context, progress: silentProgress, json: true, taker: "daemon" };
  const outcome = await found.run({ arguments: words, options: Object.fromEntries(given) as Given["options"] }, full);
  const { exit, json, lines, problems = [] } = outcome;
  return { version: PROTOCOL_VERSION, exit, json, lines, problems };
}
