/** A small service as a Debian package, in a version with a fault and in one without, and the livepatch between them. */
import { chmod, copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createTwoFilesPatch } from "diff";
import { run } from "../../src/lib/run.ts";

/** Paths of files. */
export interface AnsweringService {
  /** Answers 2, in /run/answering. */
  readonly faulty: string;
  /** A newer version, which answers 3. */
  readonly fixed: string;
  /** Has the faulty one answer 3. */
  readonly livepatch: string;
}

const SUTURE = join(import.meta.dirname, "../../bin/suture");
/** Where it is in the machine: not where it was built. */
const PROGRAM = "/usr/sbin/answering";
/** So early that it runs when installed livepatches are loaded. */
const UNIT = `[Unit]
Description=Answers
DefaultDependencies=no
After=local-fs.target
Before=suture-boot.service shutdown.target
Conflicts=shutdown.target
[Service]
ExecStart=${PROGRAM}
[Install]
WantedBy=sysinit.target
`;
const STARTED = `#!/bin/sh
set -e
systemctl daemon-reload
systemctl -q enable answering
systemctl restart answering
`;

/** Makes all of it in a directory. */
export async function answeringService(directory: string): Promise<AnsweringService> {
  const source = await readFile(join(import.meta.dirname, "answering.c"), "utf8");
  const fixed = source.replace("#define ANSWER 1", "#define ANSWER 2");
  await writeFile(join(directory, "fix.patch"), createTwoFilesPatch("a/answering.c", "b/answering.c", source, fixed));
  const unit = { directory, file: "answering.c", arguments: ["gcc", "-O2", "-c", "answering.c", "-o", "answering.o"] };
  await writeFile(join(directory, "compile_commands.json"), JSON.stringify([unit]));
  const packages: string[] = [];
  for (const [version, text] of [
    ["2", fixed],
    ["1", source],
  ] as const) {
    await writeFile(join(directory, "answering.c"), text);
    const [compiler = "", ...args] = unit.arguments;
    await run(compiler, args, { cwd: directory, check: true });
    await run("gcc", ["answering.o", "-o", "answering", "-Wl,--build-id"], { cwd: directory, check: true });
    packages.push(await packed(directory, version));
  }
  const from = ["--compile-commands", "compile_commands.json", "--exe", "answering"];
  const named = ["--name", "answer", "--output", "answer.o"];
  await run(SUTURE, ["build", ...from, ...named, "fix.patch"], { cwd: directory, check: true });
  const [newer = "", older = ""] = packages;
  return { faulty: older, fixed: newer, livepatch: join(directory, "answer.o") };
}

async function packed(directory: string, version: string): Promise<string> {
  const tree = join(directory, `tree-${version}`);
  for (const each of ["DEBIAN", "usr/sbin", "lib/systemd/system"]) await mkdir(join(tree, each), { recursive: true });
  await copyFile(join(directory, "answering"), join(tree, PROGRAM));
  await writeFile(join(tree, "lib/systemd/system/answering.service"), UNIT);
  const fields = [
    "Package: answering",
    `Version: ${version}`,
    "Architecture: amd64",
    "Maintainer: nobody <n@b.invalid>",
  ];
  await writeFile(join(tree, "DEBIAN/control"), `${[...fields, "Description: answers"].join("\n")}\n`);
  await writeFile(join(tree, "DEBIAN/postinst"), STARTED);
  await chmod(join(tree, "DEBIAN/postinst"), 0o755);
  const deb = join(directory, `answering_${version}.deb`);
  await run("dpkg-deb", ["--build", "-Znone", "--root-owner-group", tree, deb], { check: true });
  return deb;
}
