import { once } from "node:events";
import { EXIT } from "../../lib/error.ts";
import { command } from "../command.ts";

const DEFAULT_PORT = 9774;
/** What a page shows of the history. */
const MOST_EVENTS = 100;

/** `suture monitor`; it goes on until it is interrupted. Throws `PORT_NOT_FREE`. */
export const monitorCommand = command({
  name: "monitor",
  summary: "serve a page to look at, and Prometheus metrics at /metrics, on this machine's loopback",
  description:
    "The page has the machine, its livepatches, each transition as a picture over time, what each installed livepatch does, and what was done. " +
    "Nothing can be changed through it, and it looks at the machine only when it is asked. It shows what the user may see who started it, to everybody on this machine.",
  arguments: [],
  options: {
    port: {
      kind: "integer",
      value: "N",
      summary: `the port to listen on, 0 for any that is free; default ${DEFAULT_PORT}`,
    },
  },
  async run({ options: { port = DEFAULT_PORT } }, { signal }) {
    const { MonitorServer } = await import("../../host/monitor/server.ts");
    const { monitorSources } = await import("../monitor-sources.ts");
    const server = await MonitorServer.start(port, monitorSources(MOST_EVENTS));
    const { url } = server;
    const goesOn = async (): Promise<void> => {
      if (!signal.aborted) await once(signal, "abort");
      await server[Symbol.asyncDispose]();
    };
    return { exit: EXIT.done, json: { url }, lines: [url], goesOn };
  },
});
