/** `make test`: the checks, then all tests; the last line counts both. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const CHECKS = ["types", "lint", "unused"];

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly unknown[] }[];
}

let passed = 0;
let failed = 0;

for (const check of CHECKS) {
  process.stdout.write(`check: ${check}\n`);
  if (npm(["run", "--silent", `check:${check}`])) passed++;
  else failed++;
}

const directory = mkdtempSync(join(tmpdir(), "suture-test-"));
try {
  const file = join(directory, "report.json");
  const ok = npm([
    "run",
    "--silent",
    "test",
    "--",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${file}`,
  ]);
  const report = JSON.parse(readFileSync(file, "utf8")) as Report;
  // A file that cannot even be loaded has no tests that could fail.
  const broken = report.testResults.filter((each) => each.status === "failed" && each.assertionResults.length === 0);
  passed += report.numPassedTests;
  failed += report.numFailedTests + broken.length;
  if (!ok && failed === 0) failed++;
} catch (error) {
  process.stderr.write(`vitest gave no report: ${(error as Error).message}\n`);
  failed++;
} finally {
  rmSync(directory, { recursive: true });
}

process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;

function npm(args: readonly string[]): boolean {
  return spawnSync("npm", args, { cwd: join(import.meta.dirname, ".."), stdio: "inherit" }).status === 0;
}
