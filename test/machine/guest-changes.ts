/** In a machine: installs and uninstalls a livepatch in turns; each change that was done is told on the console, which the host keeps. */
import { openSync, readFileSync, writeSync } from "node:fs";
import { install, uninstall } from "../../src/host/store/install.ts";
import { HostStore } from "../../src/host/store/store.ts";

const [file = ""] = process.argv.slice(2);
const given = { path: file, data: readFileSync(file), signature: undefined };
const console = openSync("/dev/ttyS0", "w");
writeSync(console, "\nchanges begin\n");
for (let number = 1; ; number++) {
  await HostStore.change({ state: "/var/lib/suture" }, (store) =>
    number % 2 === 1 ? install(store, given, { requireSignatures: false, keys: [] }) : uninstall(store, "fix"),
  );
  writeSync(console, `\nchange ${number} done\n`);
}
