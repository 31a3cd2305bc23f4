/** The newest kernel of each of Debian's suites, on whichever of them this machine runs: made ready, patched, rehearsed. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
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
      const original = readFileSync(join(source.stdout.trim(), FILE), "utf8");
      const patched = original.replace(LINE, OTHER);
      writeFileSync(at("fix.patch"), createTwoFilesPatch(`a/${FILE}`, `b/${FILE}`, original, patched));
      const built = await suture(directory.path, "build", "--kernel", release, "fix.patch");
      expect([built.stderr, built.status]).toEqual([built.stderr, 0]);
      const audited = await suture(directory.path, "audit", "livepatch-fix.ko", "fix.patch");
      expect([audited.stdout, audited.status]).toEqual([audited.stdout, 0]);
      writeFileSync(at("enabled"), "grep patched /proc/cmdline\n");
      writeFileSync(at("unloaded"), "! grep patched /proc/cmdline\n");
      const scripts = ["--after", at("enabled"), "--unloaded", at("unloaded")];
      const rehearsed = await suture(directory.path, "rehearse", "livepatch-fix.ko", ...scripts);
      expect([rehearsed.stdout, rehearsed.stderr, rehearsed.status]).toEqual([rehearsed.stdout, rehearsed.stderr, 0]);
    },
    HALF_AN_HOUR,
  );
});
