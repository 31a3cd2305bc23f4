/** A fix of PostgreSQL, loaded into the server and all that it has forked, under pgbench. */
import { readFileSync } from "node:fs";
import { chmod, cp, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { run } from "../../../src/lib/run.ts";
import type { Fix, FixDiff, Place, Service } from "./fix.ts";
import { pgbench } from "./loads.ts";
import { freePort, Server } from "./server.ts";

const VERSION = "15.18-0+deb12u1";
const LIBRARY = "usr/lib/postgresql/15";
const SHARE = "usr/share/postgresql/15";

/** Of 15.15: CREATE STATISTICS asks for the right to create in the schema. What else that changed is in what runs before. */
const ASKS_FOR_RIGHTS: FixDiff = {
  kind: "cut",
  name: "create-statistics-rights.patch",
  file: "src/backend/commands/statscmds.c",
  first: /^\tif \(check_rights\)$/,
  last: /^\t}$/,
};

/** The server alone, and none of the bitcode for its just-in-time compiler, which is no part of it. */
const SERVER_ONLY = ["-C", "build/src/backend", "with_llvm=no"];
const RULES = `
override_dh_auto_build-arch:
	MAKELEVEL=0 $(MAKE) ${SERVER_ONLY.join(" ")} all
`;

const UNPRIVILEGED = ["--reuid=nobody", "--regid=nogroup", "--clear-groups"];

/** It does not run as root. */
function asNobody(command: readonly string[]): string[] {
  return process.getuid?.() === 0 ? ["setpriv", ...UNPRIVILEGED, "--", ...command] : [...command];
}

interface Database extends Service {
  /** What a user without rights is answered. */
  ask(sql: string): Promise<string>;
}

async function startPostgresql(place: Place): Promise<Database> {
  const port = await freePort();
  const { directory } = place;
  for (const each of [directory, dirname(directory)]) await chmod(each, 0o755);
  // It finds what belongs to it by where it lies itself.
  for (const each of [LIBRARY, SHARE]) await cp(join(place.root, each), join(directory, each), { recursive: true });
  const program = join(directory, LIBRARY, "bin/postgres");
  await cp(place.program("postgres"), program, { force: true });
  const home = join(directory, "home");
  await mkdir(home);
  await chmod(home, 0o777);
  const env = { LD_LIBRARY_PATH: join(directory, "libraries"), PGHOST: "127.0.0.1" };
  await cp(join(place.root, "usr/lib/x86_64-linux-gnu"), env.LD_LIBRARY_PATH, { recursive: true });
  const data = join(home, "data");
  const made = asNobody([join(directory, LIBRARY, "bin/initdb"), "-D", data, "-U", "postgres", "--auth=trust", "-N"]);
  await run(made[0] ?? "", made.slice(1), { cwd: home, env, check: true });
  const settings = ["autovacuum=off", "fsync=off", "listen_addresses=127.0.0.1", `port=${port}`];
  const [first = "", ...args] = asNobody([
    ...[program, "-D", data, "-k", home],
    ...settings.flatMap((setting) => ["-c", setting]),
  ]);
  const server = await Server.start({ program: first, args, env, directory: home, port, processes: 5 });
  const psql = async (user: string, sql: string) => {
    const words = ["-h", "127.0.0.1", "-p", String(port), "-U", user, "-qtA", "-c", sql, "postgres"];
    const { stdout, stderr } = await run(join(directory, LIBRARY, "bin/psql"), words, { cwd: home, env });
    return (stdout + stderr).trim();
  };
  const bench = join(directory, LIBRARY, "bin/pgbench");
  const prepared = ["-h", "127.0.0.1", "-p", String(port), "-U", "postgres", "-i", "-q", "postgres"];
  await run(bench, prepared, { cwd: home, env, check: true });
  await psql(
    "postgres",
    "CREATE ROLE guest LOGIN; CREATE SCHEMA closed; GRANT USAGE ON SCHEMA closed TO guest; CREATE TABLE mine (a int, b int); ALTER TABLE mine OWNER TO guest",
  );
  return {
    server,
    pids: () => server.pids().filter((pid) => !isForClient(pid)),
    ask: (sql) => psql("guest", sql),
    load: () => pgbench(bench, port),
    generator: "pgbench",
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Such processes come and go with their connections, and are forked by one that is patched. */
function isForClient(pid: number): boolean {
  try {
    return /^postgres: (postgres|guest) /.test(readFileSync(`/proc/${pid}/cmdline`, "latin1"));
  } catch {
    return true;
  }
}

export const POSTGRESQL: readonly Fix[] = [
  {
    id: "CVE-2025-12817",
    what: "CREATE STATISTICS makes objects in schemas where the user may not; the diff is a cut of the fix, its check alone",
    source: {
      name: "postgresql-15",
      version: VERSION,
      patchesFrom: VERSION,
      rules: RULES,
      with: ["postgresql-15", "postgresql-client-15", "libpq5"].map((name) => ({ name, version: VERSION })),
    },
    before: {
      kind: "left-out",
      rebuild: { command: ["make", ...SERVER_ONLY, "postgres"], program: "build/src/backend/postgres" },
    },
    diffs: [ASKS_FOR_RIGHTS],
    start: startPostgresql,
    async probe(service) {
      const answer = await (service as Database).ask(
        "CREATE STATISTICS closed.it ON a, b FROM mine; DROP STATISTICS closed.it",
      );
      return { fixed: /permission denied for schema closed/.test(answer), seen: answer === "" ? "made" : answer };
    },
  },
];
