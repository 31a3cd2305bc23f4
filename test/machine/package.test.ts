/** The Debian package: installed on a stock system, upgraded, removed and purged. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { run } from "../../src/lib/run.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import { VERSION } from "../../src/lib/version.ts";
import { resumed } from "./frozen-machine.ts";
import type { Machine } from "./machine.ts";

const NEXT = `${VERSION}+next`;
/** All files but those that every package changes. */
const FILES =
  "find / -xdev '(' -path /var/log -o -path /var/cache/apt -o -path /var/cache/ldconfig -o -path /var/lib/dpkg -o -path /var/lib/apt -o -path /tmp -o -path /root/package ')' -prune -o -print | sort";

let directory: TemporaryDirectory;
let machine: Machine;
let before: string;

beforeAll(async () => {
  directory = await temporaryDirectory();
  const deb = inject("deb");
  const next = await repacked(deb, NEXT);
  machine = await resumed(inject("debian"), directory.path);
  before = await machine.told(FILES);
  await machine.put("/root/package", { "suture.deb": deb, "next.deb": next });
});

afterAll(async () => {
  await machine?.[Symbol.asyncDispose]();
  await directory?.[Symbol.asyncDispose]();
});

/** The same package as another version. */
async function repacked(deb: string, version: string): Promise<string> {
  const tree = join(directory.path, "tree");
  const next = join(directory.path, "next.deb");
  await run("dpkg-deb", ["--raw-extract", deb, tree], { check: true });
  const control = join(tree, "DEBIAN/control");
  writeFileSync(control, readFileSync(control, "utf8").replace(/^Version: .*$/m, `Version: ${version}`));
  await run("dpkg-deb", ["--build", "-Znone", "--root-owner-group", tree, next], { check: true });
  return next;
}

async function installedFiles(): Promise<string[]> {
  const known = new Set(before.split("\n"));
  return (await machine.told(FILES)).split("\n").filter((file) => !known.has(file));
}

test("it installs on a stock system and brings all that it runs", async () => {
  const said = await machine.told("apt-get install -q -y /root/package/suture.deb");
  expect(said).toContain("0 upgraded, 1 newly installed, 0 to remove");
  expect(await machine.told("suture --version")).toBe(`${VERSION}\n`);
  expect((await machine.run("command -v node gcc cc ld as")).output).toBe("");
  await machine.told("suture list");
  for (const unit of ["suture-boot.service", "suture-lived.timer", "sutured.service"])
    expect(await machine.told(`systemctl is-enabled ${unit}`)).toBe("enabled\n");
  expect(await machine.told("systemctl is-active sutured.service")).toBe("active\n");
  expect((await machine.run("systemctl --failed --no-legend")).output).toBe("");
});

test("systemd takes its units without a complaint", async () => {
  expect(await machine.told("systemd-analyze verify --man=no /lib/systemd/system/suture*")).toBe("");
  // It fails where more of the system is exposed to the daemon than 6.0 of 10.
  await machine.told("systemd-analyze security --no-pager --threshold=60 sutured.service");
});

test("an upgrade keeps what is the administrator's and suture's", async () => {
  await machine.told("touch /etc/suture/keys/own.pub && systemctl disable -q suture-lived.timer");
  await machine.told("mkdir -p /var/lib/suture && touch /var/lib/suture/own");
  await machine.told("apt-get install -q -y /root/package/next.deb");
  expect(await machine.told("dpkg-query -W -f '${Version}' suture")).toBe(NEXT);
  expect(await machine.told("ls /etc/suture/keys /var/lib/suture")).toMatch(/own\.pub\n[\s\S]*\nown\n/);
  expect((await machine.run("systemctl is-enabled suture-lived.timer")).output).toBe("disabled\n");
});

test("removed it leaves what the administrator and suture have written; purged, nothing", async () => {
  await machine.told("apt-get remove -q -y suture");
  // What is enabled is the administrator's choice.
  const left = (await installedFiles()).filter((file) => !/systemd/.test(file));
  const isOurs = (file: string): boolean => /^\/(?:etc|var\/lib)\/suture(?:\/|$)/.test(file);
  expect(left.filter((file) => !isOurs(file))).toEqual([]);
  expect(left).toEqual(expect.arrayContaining(["/etc/suture/keys/own.pub", "/var/lib/suture/own"]));
  await machine.told("apt-get purge -q -y suture");
  expect(await installedFiles()).toEqual([]);
  expect((await machine.run("systemctl list-unit-files --no-legend 'suture*'")).output).toBe("");
  expect((await machine.run("find /var/lib/dpkg -name '*suture*'")).output).toBe("");
});
