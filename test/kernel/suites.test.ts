/** The newest kernel of each of Debian's suites, on whichever of them this machine runs: made ready, patched, rehearsed. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { createTwoFilesPatch } from "diff";
import { describe, expect, test } from "vitest";
import { Cache } from "../../src/lib/cache.ts";
import { silentProgress } from "../../src/lib/progress.ts";
import { temporaryDirectory } from "../../src/lib/temp.ts";
import { distribution } from "../../src/provider/registry/distributions.ts";
import { isLong } from "../long.ts";

const bin = resolve(import.meta.dirname, "../../bin/suture");
const FILE = "fs/proc/cmdline.c";
const LINE = "\tseq_putc(m, '\\n');\n";
const OTHER = '\tseq_puts(m, " patched\\n");\n';

/** It writes to memory of user space by itself, whose bound is a constant in code since 6.12. */
const LISTING = "fs/readdir.c";
const NOT_LISTED = `\tif (namlen == 11 && memcmp(name, "suture-none", 11) == 0)\n\t\treturn true;\n`;
const CONSTANTS = "arch/x86/include/asm/runtime-const.h";

const HALF_AN_HOUR = 1_800_000;

interface Said {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function suture(cwd: string, ...args: string[]): Promise<Said> {
  const child = spawn(bin, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { status, stdout, stderr };
}

/** One diff of both changes, to a kernel's source. */
function fixOf(tree: string): string {
  const diffOf = (file: string, changed: (text: string) => string): string => {
    const original = readFileSync(join(tree, file), "utf8");
    const patched = changed(original);
    expect(patched).not.toBe(original);
    return createTwoFilesPatch(`a/${file}`, `b/${file}`, original, patched);
  };
  const cmdline = diffOf(FILE, (text) => text.replace(LINE, OTHER));
  const listing = diffOf(LISTING, (text) =>
    text.replace(
      /\nstatic bool filldir64\([^}]*?\n\n(?=\tbuf->error = verify_dirent_name)/,
      (head) => head + NOT_LISTED,
    ),
  );
  return cmdline + listing;
}

/** Releases that a suite has of a flavour, the newest first. */
async function releasesOf(suite: string, flavour: string): Promise<string[]> {
  const { kernels } = await distribution("debian").availableKernels({ cache: new Cache(), progress: silentProgress });
  return kernels
    .filter((each) => each.missing === undefined && each.flavour === flavour && each.suites.includes(suite))
    .map(({ release }) => release)
    .toReversed();
}

describe.skipIf(!isLong)("kernels of all suites", () => {
  test.each([
    ["bookworm-security", "rt"],
    ["bookworm-backports", "cloud"],
    ["trixie-security", "cloud"],
    ["trixie-backports", "cloud"],
    ["sid", "cloud"],
  ])(
    "%s, %s: the newest that the archive has all of is fetched, and patched in a virtual machine",
    async (suite, flavour) => {
      await using directory = await temporaryDirectory();
      const at = (name: string): string => join(directory.path, name);
      let release: string | undefined;
      for (const each of await releasesOf(suite, flavour)) {
        const fetched = await suture(directory.path, "kernel", "fetch", each);
        if (fetched.status === 0) release = each;
        if (release !== undefined) break;
        // Lists name sources that the archive has not got any more, or not yet.
        expect(fetched.stderr).toContain("PACKAGE_MISSING: the archive has no source");
      }
      if (release === undefined) throw new Error(`no kernel of ${suite} can be had`);
      const source = await suture(directory.path, "source", "--kernel", release, "--quiet");
      const tree = source.stdout.trim();
      writeFileSync(at("fix.patch"), fixOf(tree));
      const built = await suture(directory.path, "build", "--kernel", release, "fix.patch");
      expect([built.stderr, built.status]).toEqual([built.stderr, 0]);
      expect(built.stdout.includes("RUNTIME_CONSTANTS_READ")).toBe(existsSync(join(tree, CONSTANTS)));
      const audited = await suture(directory.path, "audit", "livepatch-fix.ko", "fix.patch");
      expect([audited.stdout, audited.status]).toEqual([audited.stdout, 0]);
      const listed = "ls / | grep -q suture-none";
      writeFileSync(at("enabled"), `touch /suture-none && grep patched /proc/cmdline && ! ${listed}\n`);
      writeFileSync(at("unloaded"), `! grep patched /proc/cmdline && ${listed}\n`);
      const scripts = ["--after", at("enabled"), "--unloaded", at("unloaded")];
      const rehearsed = await suture(directory.path, "rehearse", "livepatch-fix.ko", ...scripts);
      expect([rehearsed.stdout, rehearsed.stderr, rehearsed.status]).toEqual([rehearsed.stdout, rehearsed.stderr, 0]);
    },
    HALF_AN_HOUR,
  );
});
