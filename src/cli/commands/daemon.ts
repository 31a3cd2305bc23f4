import type { Answers } from "../../host/daemon/server.ts";
import { EXIT } from "../../lib/error.ts";
import { command } from "../command.ts";

/** `suture daemon`: what sutured.service runs. It ends when it is interrupted. */
export const daemonCommand = command({
  name: "daemon",
  summary: "stay, and bring what is installed into processes as they start",
  description:
    "For systemd, as sutured.service. What it brings in has to be signed by a key that is trusted, unless /etc/suture/suture.conf says otherwise (docs/signatures.md). Every command works without it.",
  arguments: [],
  options: {},
  async run(_given, { commands, cache, signal, json }) {
    const { carryOut } = await import("../carry-out.ts");
    const { isForEverybody } = await import("../carried-out.ts");
    const { ServiceManager } = await import("../../host/daemon/service-manager.ts");
    const { runDaemon } = await import("../../host/daemon/daemon.ts");
    const { hostPaths } = await import("../../host/paths.ts");
    const { journalTo } = await import("../journal.ts");
    const say = journalTo(process.stderr, process.env);
    using manager = new ServiceManager(process.env);
    let isReady = false;
    const onStatus = (status: string): void => {
      if (isReady) manager.status(status);
      else manager.ready(status);
      isReady = true;
      if (!json) say("note", status);
    };
    const answers: Answers = {
      isForEverybody,
      answer: async (request, gone) =>
        await carryOut(request, { commands, cache, signal: AbortSignal.any([gone, signal]) }),
    };
    await runDaemon({ paths: hostPaths(), say, signal, onStatus, answers });
    return { exit: EXIT.done, json: {}, lines: [] };
  },
});
