import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../lib/temp.ts";
import { bootId } from "./boot-id.ts";
import { entryOf } from "./journal.ts";
import { HostStore } from "./store.ts";

const LOADED = { verb: "load", patch: "fix", target: "redis-server", outcome: "done", pids: [7, 12] } as const;

/** Prints the datagrams that come to a socket, up to a number of them. */
const RECEIVER = `use Socket; $| = 1;
socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die; bind($s, pack_sockaddr_un($ARGV[0])) or die; print "ready\\n";
for (1 .. $ARGV[1]) { recv($s, my $text, 65536, 0); print $text, "--\\n"; }`;

test("an event is fields, a line each, whatever its words hold", () => {
  expect(entryOf(LOADED)).toBe(
    "MESSAGE=load fix (redis-server): done\nPRIORITY=6\nSYSLOG_IDENTIFIER=suture\nSUTURE_VERB=load\nSUTURE_PATCH=fix\nSUTURE_TARGET=redis-server\nSUTURE_OUTCOME=done\nSUTURE_PIDS=7 12\n",
  );
  const refused = { ...LOADED, outcome: "refused", code: "TASK_IN_FUNCTION", why: "one\nSUTURE_VERB=force" };
  const lines = entryOf(refused).split("\n");
  expect(lines).toContain("PRIORITY=4");
  expect(lines.filter((line) => line.startsWith("SUTURE_VERB="))).toEqual(["SUTURE_VERB=load"]);
});

test("what is written down is told to the journal, once it is; nobody minds where there is none", async () => {
  await using directory = await temporaryDirectory();
  const journal = join(directory.path, "socket");
  const paths = { state: join(directory.path, "state"), journal };
  await HostStore.change(paths, (store) => store.record(LOADED));
  const receiver = spawn("perl", ["-e", RECEIVER, journal, "2"], { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  receiver.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  await once(receiver.stdout, "data");
  using store = HostStore.open(paths, bootId());
  store?.record(LOADED, { ...LOADED, verb: "unload" });
  await once(receiver, "close");
  expect(said).toBe(`ready\n${entryOf(LOADED)}--\n${entryOf({ ...LOADED, verb: "unload" })}--\n`);
});
