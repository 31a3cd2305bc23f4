/** A fix of memcached, loaded while clients that have named themselves (SASL) read and write. */
import { writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Fix, Load, Place, Service } from "./fix.ts";
import { BinaryClient } from "./memcached-client.ts";
import { freePort, Server } from "./server.ts";

const VERSION = "1.6.18-1+deb12u1";
const USER = "worker";

/** Debian's rules leave out what is fixed: it is what ./configure --enable-sasl-pwdb has. */
const WITH_PASSWORDS = `sed -i 's|^/\\* #undef ENABLE_SASL_PWDB \\*/|#define ENABLE_SASL_PWDB 1|' config.h && make memcached`;

async function startMemcached(place: Place): Promise<Service> {
  const port = await freePort();
  const passwords = join(place.directory, "passwords");
  // SASL names users with the host that they are of.
  const user = `${USER}@${hostname()}`;
  await writeFile(passwords, `${user}:first\n${user}:second\n`);
  await writeFile(join(place.directory, "memcached.conf"), "mech_list: plain\n");
  const server = await Server.start({
    program: place.program("memcached"),
    args: ["-u", "root", "-l", "127.0.0.1", "-p", String(port), "-t", "4", "-S"],
    env: {
      MEMCACHED_SASL_PWDB: passwords,
      SASL_CONF_PATH: place.directory,
      SASL_PATH: join(place.root, "usr/lib/x86_64-linux-gnu/sasl2"),
      LD_LIBRARY_PATH: place.libraries,
    },
    directory: place.directory,
    port,
  });
  return {
    server,
    pids: () => [server.pid],
    load: () => clients(port),
    generator: "8 clients of our own",
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const CLIENTS = 8;

/** Each names itself, and then writes values and reads them again, over one connection. */
function clients(port: number): Load {
  let wanted = true;
  const total = { requests: 0, errors: 0, complaints: [] as string[] };
  const all = Array.from({ length: CLIENTS }, async (_, i) => {
    try {
      using client = await BinaryClient.connect(port);
      if (!(await client.login(USER, "first"))) throw new Error("the right password is refused");
      for (let round = 0; wanted; round++) {
        const [key, value] = [`key ${i} ${round % 100}`, `value ${round}`];
        await client.set(key, value);
        const found = await client.get(key);
        if (found !== value) throw new Error(`${key}: ${found}, not ${value}`);
        total.requests += 2;
      }
    } catch (error) {
      total.errors++;
      total.complaints.push(error instanceof Error ? error.message : String(error));
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

export const MEMCACHED: readonly Fix[] = [
  {
    id: "CVE-2026-47783",
    what: "how long a password check takes tells which users and passwords there are (it ends at the user's line); built with --enable-sasl-pwdb, which Debian leaves out",
    source: {
      name: "memcached",
      version: VERSION,
      patchesFrom: VERSION,
      with: [{ name: "libsasl2-modules" }],
    },
    before: { kind: "left-out", rebuild: { command: ["sh", "-c", WITH_PASSWORDS], program: "memcached" } },
    diffs: ["0008-CVE-2026-47783-CVE-2026-47784.patch"],
    start: startMemcached,
    async probe({ server }) {
      using client = await BinaryClient.connect(server.port);
      const isRead = await client.login(USER, "second");
      return { fixed: isRead, seen: `lines after the user's first one: ${isRead ? "" : "not "}read` };
    },
  },
];
