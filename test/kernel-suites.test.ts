/** Kernels of suites that the machine's own apt does not know: found by their release, from where the machine gets Debian. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type LocalPackage, writeConfig, writePackages } from "./fixtures/local-archive.ts";

const bin = resolve(import.meta.dirname, "../bin/suture");
const PLAIN = "6.12.99+deb13-cloud-amd64";
const SPLIT = "7.3.99+deb13-amd64";
const HALF = "7.3.98+deb13-amd64";
const FROM_TWO = "6.12.98+deb13-rt-amd64";
const COMPILER = "gcc-99 (Debian 99.2.0-0never) 99.2.0";
let root = "";
let env: NodeJS.ProcessEnv = {};

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "suture-suites-test-"));
  const archive = join(root, "debian");
  await suite(archive, "bookworm", []);
  await suite(archive, "trixie", [
    ...kernel(PLAIN, "6.12.99-1", installed()),
    ...kernel(FROM_TWO, "6.12.98-1", COMPILER),
  ]);
  // Listed there as well, and gone.
  for (const name of readdirSync(join(archive, "pool")))
    if (name.includes("6.12.98")) rmSync(join(archive, "pool", name));
  await suite(`${archive}-security`, "trixie-security", kernel(FROM_TWO, "6.12.98-1", COMPILER));
  await suite(archive, "trixie-backports", [
    ...split(SPLIT, "7.3.99-1~bpo13+1"),
    ...split(HALF, "7.3.98-1~bpo13+1").filter(({ name }) => !name.startsWith("linux-modules-")),
  ]);
  mkdirSync(join(archive, "dists/sid/main/binary-amd64"), { recursive: true });
  writeFileSync(join(archive, "dists/sid/main/binary-amd64/Packages"), "what no list of packages is\n");
  const config = writeConfig(root, archive, "bookworm main");
  env = { ...process.env, SUTURE_CACHE: join(root, "cache"), APT_CONFIG: config, TMPDIR: root };
});
afterAll(() => rmSync(root, { recursive: true }));

function installed(): string {
  return spawnSync("gcc", ["--version"], { encoding: "utf8" }).stdout.split("\n", 1)[0] ?? "";
}

async function suite(archive: string, name: string, packages: readonly LocalPackage[]): Promise<void> {
  mkdirSync(join(archive, "pool"), { recursive: true });
  const lists = join(archive, `dists/${name}/main/binary-amd64`);
  mkdirSync(lists, { recursive: true });
  writeFileSync(join(lists, "Packages"), await writePackages(join(archive, "pool"), packages, "pool"));
}

function kernel(release: string, version: string, compiler: string): LocalPackage[] {
  const series = version.split(".", 2).join(".");
  const headers = `usr/src/linux-headers-${release}`;
  const kbuild = `linux-kbuild-${release.replace(/-.*/, "")}`;
  return [
    { name: `linux-image-${release}`, version },
    {
      name: `linux-headers-${release}`,
      version,
      depends: kbuild,
      files: { [`${headers}/.config`]: `CONFIG_X86_64=y\nCONFIG_CC_VERSION_TEXT="${compiler}"\n` },
    },
    { name: kbuild, version },
    { name: `linux-source-${series}`, version },
  ];
}

function split(release: string, version: string): LocalPackage[] {
  const parts = ["base", "binary", "modules"].map((part) => ({ name: `linux-${part}-${release}`, version }));
  const [image, ...others] = kernel(release, version, COMPILER);
  return [{ ...(image as LocalPackage), depends: parts.map(({ name }) => name).join(", ") }, ...parts, ...others];
}

function suture(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(bin, args, { encoding: "utf8", env });
}

test("all that the suites have is listed, with what keeps a kernel from being made ready; a bad list leaves out its suite alone", () => {
  const { status, stdout } = suture("kernel", "list", "--available", "--json");
  const { available, dropped } = JSON.parse(stdout);
  expect(status).toBe(0);
  const row = (release: string, version: string, suites: string[], flavour: string) => ({
    release,
    version,
    suites,
    flavour,
    ready: false,
  });
  expect(available).toEqual([
    row(FROM_TWO, "6.12.98-1", ["trixie", "trixie-security"], "rt"),
    row(PLAIN, "6.12.99-1", ["trixie"], "cloud"),
    {
      ...row(HALF, "7.3.98-1~bpo13+1", ["trixie-backports"], "plain"),
      missing: `the archive has no linux-modules-${HALF} of version 7.3.98-1~bpo13+1`,
    },
    row(SPLIT, "7.3.99-1~bpo13+1", ["trixie-backports"], "plain"),
  ]);
  expect(dropped.map(({ suite: name }: { suite: string }) => name)).toContain("sid");
});

test("a kernel of another release than the machine's is found, and the machine's own lists stay as they are", () => {
  const machine = join(root, "machine/lists");
  const before = readdirSync(machine);
  const { status, stderr } = suture("kernel", "fetch", PLAIN);
  // Its packages were downloaded, and have nothing in them: image and source are unpacked at once, and either is told first.
  expect(stderr).toMatch(
    /PACKAGE_UNUSABLE: the package does not hold (boot\/vmlinuz-6\.12\.99\+deb13-cloud-amd64|usr\/src\/linux-source-\*\.tar\.xz)/,
  );
  expect([status, readdirSync(machine)]).toEqual([1, before]);
});

test("a version that two suites list and one has comes from the one that has it; a compiler that none has is named", () => {
  const { status, stderr } = suture("kernel", "fetch", FROM_TWO);
  expect(stderr).toContain(`WRONG_COMPILER: the kernel was built with another compiler: ${COMPILER}`);
  expect(status).toBe(1);
});

test("an image and modules in packages of their own: each is needed", () => {
  expect(suture("kernel", "fetch", SPLIT).stderr).toContain("WRONG_COMPILER");
  expect(suture("kernel", "fetch", HALF).stderr).toContain(`PACKAGE_MISSING: the archive has no linux-modules-${HALF}`);
});

test("a release that no suite has: near ones of all suites are named", () => {
  const { status, stderr } = suture("kernel", "fetch", "7.3.97+deb13-amd64");
  expect(stderr).toContain("KERNEL_NOT_IN_ARCHIVE: the archive has no kernel 7.3.97+deb13-amd64");
  expect(stderr).toContain(`near ones: ${SPLIT}, ${HALF}`);
  expect(status).toBe(1);
});
