/** Before the tests of machines: a machine in which the package of this checkout is installed. */
import type { TestProject } from "vitest/node";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import { type FrozenMachine, frozenAgain } from "./frozen-machine.ts";
import { withPackage } from "./with-package.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The package. */
    readonly deb: string;
    /** The machine without it. */
    readonly debian: FrozenMachine;
    /** The machine with it, as after `apt-get install`. */
    readonly installed: FrozenMachine;
  }
}

let directory: TemporaryDirectory;

/** Makes both, for as long as the tests run. */
export async function setup(project: TestProject): Promise<void> {
  directory = await temporaryDirectory();
  const { deb, debian, machine } = await withPackage(directory.path);
  await using _ = machine;
  const installed = await frozenAgain(machine, debian.release);
  project.provide("deb", deb);
  project.provide("debian", debian);
  project.provide("installed", installed);
}

export async function teardown(): Promise<void> {
  await directory?.[Symbol.asyncDispose]();
}
