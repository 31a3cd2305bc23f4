/** A fix of dnsmasq, loaded while it answers names under dnsperf. */
import { createSocket, type Socket } from "node:dgram";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Fix, Place, Service } from "./fix.ts";
import { dnsperf } from "./loads.ts";
import { freePort, Server } from "./server.ts";

const VERSION = "2.90-4~deb12u2";
const source = { name: "dnsmasq", version: VERSION, patchesFrom: VERSION };

/** dh sets them before it runs this target of the rules, and compiles when it installs. */
const WITH_FLAGS =
  'export DEB_BUILD_MAINT_OPTIONS=hardening=+all && eval "$(dpkg-buildflags --export=sh)" && debian/rules override_dh_auto_install';

interface Resolver extends Service {
  readonly names: number;
}

async function startDnsmasq(place: Place): Promise<Resolver> {
  const [port, above] = [await freePort(), createSocket("udp4")];
  await new Promise<void>((resolve) => above.bind(0, "127.0.0.1", resolve));
  above.on("message", (query, { port: back }) => above.send(answerTo(query), back, "127.0.0.1"));
  const server = await Server.start({
    program: place.program("dnsmasq"),
    args: [
      ...["--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--pid-file="],
      ...[`--port=${port}`, "--listen-address=127.0.0.1", "--bind-interfaces", "--add-subnet=24", "--cache-size=0"],
      ...["--address=/here.example/192.0.2.1", `--server=127.0.0.1#${above.address().port}`, "--log-facility=-"],
    ],
    directory: place.directory,
    port,
  });
  const queries = join(place.directory, "queries");
  await writeFile(queries, "www.here.example A\nmail.here.example A\n");
  return {
    server,
    names: above.address().port,
    pids: () => [server.pid],
    load: () => dnsperf(port, queries),
    generator: "dnsperf",
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      above.close();
    },
  };
}

const HEADER_BYTES = 12;
const SUBNET_OPTION = 8;

/** What a forger sends: an address, and the subnet of somebody else (RFC 7871) in place of the query's. */
function answerTo(query: Buffer): Buffer {
  const name = query.indexOf(0, HEADER_BYTES) + 1;
  const question = query.subarray(HEADER_BYTES, name + 4);
  const header = Buffer.from([...query.subarray(0, 2), 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 1]);
  const address = Buffer.from([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 203, 0, 113, 7]);
  const subnet = Buffer.from([0, SUBNET_OPTION, 0, 7, 0, 1, 24, 24, 198, 51, 100]);
  const options = Buffer.from([0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, subnet.length]);
  return Buffer.concat([header, question, address, options, subnet]);
}

const WAIT_MILLISECONDS = 1500;

/** The address that is answered; undefined where no answer comes. */
async function addressOf(name: string, port: number): Promise<string | undefined> {
  const labels = name.split(".").flatMap((label) => [label.length, ...Buffer.from(label)]);
  const query = Buffer.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, 1, 0, 1]);
  const socket: Socket = createSocket("udp4");
  try {
    return await new Promise((resolve) => {
      setTimeout(() => resolve(undefined), WAIT_MILLISECONDS);
      socket.on("message", (answer) => {
        const count = answer.readUInt16BE(6);
        resolve(count === 0 ? undefined : [...answer.subarray(query.length + 12, query.length + 16)].join("."));
      });
      socket.send(query, port, "127.0.0.1");
    });
  } finally {
    socket.close();
  }
}

export const DNSMASQ: readonly Fix[] = [
  {
    id: "CVE-2026-4893",
    what: "answers whose client subnet is not the query's are taken (RFC 7871)",
    source,
    before: {
      kind: "left-out",
      rebuild: {
        command: ["sh", "-c", WITH_FLAGS],
        program: "debian/auto-build/dnsmasq-base/dnsmasq",
      },
    },
    diffs: ["CVE-2026-4893.patch"],
    start: startDnsmasq,
    async probe({ server }) {
      const address = await addressOf("forged.elsewhere.example", server.port);
      return { fixed: address === undefined, seen: `an answer for another subnet: ${address ?? "discarded"}` };
    },
  },
];
