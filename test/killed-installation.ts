/**
 * Installs or uninstalls a livepatch, and kills itself at one of the calls that change a file or the
 * database; at 0, which never comes, it says how many there were.
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { DatabaseSync, StatementSync } from "node:sqlite";

const [state = "", verb = "", file = "", at = "0"] = process.argv.slice(2);
let left = Number(at);

function killedAt(place: object, names: readonly string[]): void {
  const calls = place as Record<string, (...given: unknown[]) => unknown>;
  for (const name of names) {
    const call = calls[name] as (...given: unknown[]) => unknown;
    calls[name] = function (this: unknown, ...given) {
      if (--left === 0) process.kill(process.pid, "SIGKILL");
      return call.apply(this, given);
    };
  }
}

killedAt(fs, ["openSync", "writeSync", "fsyncSync", "renameSync", "rmSync", "mkdirSync"]);
killedAt(DatabaseSync.prototype, ["exec", "close"]);
killedAt(StatementSync.prototype, ["run", "all"]);
syncBuiltinESMExports();

const { HostStore } = await import("../src/host/store/store.ts");
const { install, uninstall } = await import("../src/host/store/install.ts");
const data = fs.readFileSync(file);
await HostStore.change({ state }, (store) =>
  verb === "install"
    ? install(store, { path: file, data, signature: undefined }, { requireSignatures: false, keys: [] })
    : uninstall(store, undefined),
);
process.stdout.write(String(-left));
