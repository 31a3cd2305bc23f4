/** A fix of sshd, loaded while clients come and go. */
import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../../src/lib/run.ts";
import type { Fix, Place, Service } from "./fix.ts";
import { repeatedly, together } from "./loads.ts";
import { freePort, Server } from "./server.ts";

const VERSION = "1:9.2p1-2+deb12u10";
const source = {
  name: "openssh",
  version: VERSION,
  patchesFrom: VERSION,
  with: [{ name: "openssh-client" }],
};

interface SecureShell extends Service {
  /** Whether a certificate of these names is let in. */
  comesIn(principals: readonly string[]): Promise<boolean>;
}

const CLIENTS = 3;

/** As root, in a mount namespace where the user is that sshd gives its rights up for, and its empty directory. */
const PRIVATELY = `mount --bind passwd /etc/passwd && mount -t tmpfs none /run && mkdir /run/sshd && exec "$@"`;

async function startSshd(place: Place): Promise<SecureShell> {
  const { directory } = place;
  const port = await freePort();
  const passwd = await readFile("/etc/passwd", "utf8");
  const hasUser = /^sshd:/m.test(passwd);
  await writeFile(
    join(directory, "passwd"),
    hasUser ? passwd : `${passwd}sshd:x:65534:65534::/run/sshd:/usr/sbin/nologin\n`,
  );
  const keygen = async (name: string) =>
    await run(place.program("ssh-keygen"), ["-q", "-t", "ed25519", "-N", "", "-f", name], {
      cwd: directory,
      check: true,
    });
  for (const name of ["host", "user", "worker"]) await keygen(name);
  const authority = generateKeyPairSync("ed25519");
  const own = await readFile(join(directory, "worker.pub"), "utf8");
  const trusted = `cert-authority,principals="alice,bob" ssh-ed25519 ${blobOf(publicBytes(authority.publicKey)).toString("base64")}`;
  await writeFile(join(directory, "authorized"), `${own}${trusted}\n`);
  const settings = [
    ...["PermitRootLogin yes", "StrictModes no", "UsePAM no", "PidFile none", "LogLevel ERROR", "MaxStartups 100"],
    ...[`HostKey ${directory}/host`, `AuthorizedKeysFile ${directory}/authorized`, `ListenAddress 127.0.0.1:${port}`],
  ];
  await writeFile(join(directory, "sshd_config"), `${settings.join("\n")}\n`);
  const server = await Server.start({
    program: "unshare",
    args: [
      "--mount",
      "sh",
      "-c",
      PRIVATELY,
      "sh",
      place.program("sshd"),
      "-D",
      "-r",
      "-e",
      "-f",
      `${directory}/sshd_config`,
    ],
    directory,
    port,
  });
  const client = place.program("ssh");
  const options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "IdentitiesOnly=yes", "BatchMode=yes"];
  const words = (key: string) => [
    ...["-F", "/dev/null", "-q", "-p", String(port), "-i", join(directory, key)],
    ...options.flatMap((option) => ["-o", option]),
    ...["root@127.0.0.1", "true"],
  ];
  const workers = await mkdir(join(directory, "work"), { recursive: true });
  if (workers === undefined) throw new Error(`${directory} is not new`);
  return {
    server,
    pids: () => [server.pid],
    load: () => together(...Array.from({ length: CLIENTS }, () => repeatedly(client, words("worker")))),
    generator: `${CLIENTS} × ssh`,
    async comesIn(principals) {
      const key = Buffer.from((await readFile(join(directory, "user.pub"), "utf8")).split(" ")[1] ?? "", "base64");
      const certificate = certificateOf(key.subarray(-32), principals, authority);
      await writeFile(join(directory, "user-cert.pub"), `${CERTIFICATE} ${certificate.toString("base64")}\n`);
      return (await run(client, words("user"))).exitCode === 0;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const KEY = "ssh-ed25519";
const CERTIFICATE = "ssh-ed25519-cert-v01@openssh.com";
const USER_CERTIFICATE = 1;

type KeyPair = ReturnType<typeof generateKeyPairSync>;

/** Of OpenSSH's PROTOCOL.certkeys: ssh-keygen makes none with a comma in a name. */
function certificateOf(key: Buffer, principals: readonly string[], { publicKey, privateKey }: KeyPair): Buffer {
  const names = Buffer.concat(principals.map(text));
  const forever = [number64(0n), number64(0xffffffffffffffffn)];
  const signed = Buffer.concat([
    ...[text(CERTIFICATE), text(randomBytes(32)), text(key), number64(1n), number32(USER_CERTIFICATE), text("it")],
    ...[text(names), ...forever, text(""), text(""), text(""), text(blobOf(publicBytes(publicKey)))],
  ]);
  const signature = Buffer.concat([text(KEY), text(sign(null, signed, privateKey))]);
  return Buffer.concat([signed, text(signature)]);
}

function publicBytes(key: KeyPair["publicKey"]): Buffer {
  return key.export({ type: "spki", format: "der" }).subarray(-32);
}

function blobOf(key: Buffer): Buffer {
  return Buffer.concat([text(KEY), text(key)]);
}

function text(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([number32(bytes.length), bytes]);
}

function number32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function number64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

export const OPENSSH: readonly Fix[] = [
  {
    id: "CVE-2026-35414",
    what: 'a certificate for one user named "bob,carol" comes in where bob may',
    source,
    before: {
      kind: "left-out",
      rebuild: { command: ["make", "-C", "debian/build-deb", "sshd"], program: "debian/build-deb/sshd" },
    },
    diffs: ["CVE-2026-35414.patch"],
    start: startSshd,
    async probe(service) {
      const shell = service as SecureShell;
      if (!(await shell.comesIn(["bob"]))) return { fixed: false, seen: "bob does not come in" };
      const isIn = await shell.comesIn(["bob,carol"]);
      return { fixed: !isIn, seen: `"bob,carol" ${isIn ? "comes in" : "does not come in"}, bob does` };
    },
  },
];
