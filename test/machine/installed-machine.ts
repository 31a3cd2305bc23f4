/** Before the tests of machines: a machine in which the package of this checkout is installed. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { debianPackage } from "../../packaging/debian-package.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import { debianMachine, type FrozenMachine, frozenAgain, resumed } from "./frozen-machine.ts";

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
  const deb = await debianPackage(directory.path);
  const debian = await debianMachine();
  const place = join(directory.path, "installed");
  await mkdir(place);
  await using machine = await resumed(debian, place);
  await machine.put("/root", { "suture.deb": deb });
  await machine.told("apt-get install -q -y /root/suture.deb");
  const installed = await frozenAgain(machine, debian.release);
  project.provide("deb", deb);
  project.provide("debian", debian);
  project.provide("installed", installed);
}

export async function teardown(): Promise<void> {
  await directory?.[Symbol.asyncDispose]();
}
