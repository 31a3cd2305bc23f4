import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** What hangs is ended. No test is measured by it: it is far more than any takes beside eight busy loops. */
const PATIENCE = 60 * 60_000;
/** Files at a time: every machine has two processors, and vitest would leave one of them to itself. */
const maxWorkers = 2;
const seed = "test/seed.ts";
/** Unit tests of what compilers make. */
const COMPILE = "src/**/*.compile.test.ts";

/** The files that take longest begin first, or the other processor has nothing to do at the end. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLongest = ({ moduleId }: TestSpecification) =>
      /\/(machine\/reboot|kernel\/cases)\.test\.ts$/.test(moduleId);
    return [...sorted.filter(isLongest), ...sorted.filter((file) => !isLongest(file))];
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        // In seconds, and with no compiler.
        test: {
          name: "unit",
          maxWorkers,
          include: ["src/**/*.test.ts", "bench/**/*.test.ts"],
          exclude: [COMPILE],
          setupFiles: [seed, "test/no-compiler.ts"],
          testTimeout: PATIENCE,
          hookTimeout: PATIENCE,
        },
      },
      {
        test: {
          name: "compile",
          maxWorkers,
          include: [COMPILE, "test/**/*.test.ts"],
          setupFiles: [seed],
          exclude: ["test/kernel/**", "test/machine/**", "test/process/**"],
          testTimeout: PATIENCE,
          hookTimeout: PATIENCE,
        },
      },
      {
        // Each starts processes with many threads and stops them: beside no virtual machine.
        test: {
          name: "process",
          include: ["test/process/**/*.test.ts"],
          setupFiles: [seed, "test/process/watchdog.ts"],
          maxWorkers,
          sequence: { groupOrder: 2 },
          testTimeout: PATIENCE,
          hookTimeout: PATIENCE,
        },
      },
      {
        // Each goes on with a whole Debian system in a virtual machine, in which the package has been installed before.
        test: {
          name: "machine",
          include: ["test/machine/**/*.test.ts"],
          setupFiles: [seed],
          globalSetup: ["test/machine/installed-machine.ts"],
          maxWorkers,
          sequence: { groupOrder: 1 },
          testTimeout: PATIENCE,
          hookTimeout: PATIENCE,
        },
      },
      {
        // Each boots virtual machines, which are emulated on a processor each.
        test: {
          name: "kernel",
          include: ["test/kernel/**/*.test.ts"],
          setupFiles: [seed],
          maxWorkers,
          sequence: { groupOrder: 1 },
          testTimeout: PATIENCE,
          hookTimeout: PATIENCE,
        },
      },
    ],
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      exclude: ["src/**/*.test.ts", "src/**/*.fixture.ts"],
      reportOnFailure: true,
      reporter: ["text-summary", "json-summary", "html"],
    },
  },
});
