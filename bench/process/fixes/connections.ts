/** A load of our own for servers that take one request a connection: as many connections as there are requests. */
import type { Load } from "./fix.ts";
import { bodyOf, statusOf, talk } from "./talk.ts";

const CLIENTS = 8;
const PATIENCE_MILLISECONDS = 10_000;

/** Each answer has to come whole, with status 200 and something in it. */
export function connections(port: number, request: string): Load {
  let wanted = true;
  const total = { requests: 0, errors: 0, complaints: [] as string[] };
  const all = Array.from({ length: CLIENTS }, async () => {
    while (wanted) {
      const answer = await talk(port, request, { quiet: PATIENCE_MILLISECONDS });
      if (statusOf(answer) === 200 && bodyOf(answer) !== "") total.requests++;
      else {
        total.errors++;
        total.complaints.push(answer === "" ? "no answer" : answer.slice(0, 80));
      }
    }
  });
  return {
    async stop() {
      wanted = false;
      await Promise.all(all);
      return total;
    },
  };
}
