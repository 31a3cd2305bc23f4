/** The package in Debian 13, and what lintian of this release has to say of it. */
import { expect, inject, test } from "vitest";
import { VERSION } from "../../src/lib/version.ts";
import { isLong } from "../long.ts";
import { debianSources, saidIn, sourcesOf } from "./debian-root.ts";

test.runIf(isLong)("it installs on Debian 13, and a command runs there", async () => {
  const said = await saidIn(sourcesOf("trixie", await debianSources()), ["kmod"], inject("deb"), [
    "apt-get install -q -y /root/given.deb",
    "suture --version",
    "suture list",
    "dpkg --audit",
    "apt-get purge -q -y suture",
  ]);
  expect(said).toContain("0 upgraded, 1 newly installed");
  expect(said).toContain(`\n${VERSION}\n`);
  expect(said).toContain("Purging configuration files for suture");
});

/** Node is as its makers have built it, and no position independent executable. */
test.runIf(isLong)("lintian finds no error", async () => {
  const said = await saidIn(await debianSources(), ["lintian"], inject("deb"), [
    "lintian --allow-root --fail-on none --tag-display-limit 0 /root/given.deb",
  ]);
  expect(said.split("\n").filter((line) => /^(?:E:|error)/.test(line))).toEqual([]);
});
