import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { debianPackage } from "../../packaging/debian-package.ts";
import { debianMachine, type FrozenMachine, resumed } from "./frozen-machine.ts";
import type { Machine } from "./machine.ts";

/** A machine with the package of this checkout. */
export interface WithPackage {
  /** The package. */
  readonly deb: string;
  /** The machine without it. */
  readonly debian: FrozenMachine;
  /** It goes on from there, and the package was installed in it. */
  readonly machine: Machine;
}

/** Makes the package, and goes on with a machine in which it is installed, its files in a directory. */
export async function withPackage(directory: string): Promise<WithPackage> {
  const deb = await debianPackage(directory);
  const debian = await debianMachine();
  const place = join(directory, "installed");
  await mkdir(place);
  const machine = await resumed(debian, place);
  try {
    await machine.put("/root", { "suture.deb": deb });
    await machine.told("apt-get install -q -y /root/suture.deb");
    return { deb, debian, machine };
  } catch (error) {
    await machine[Symbol.asyncDispose]();
    throw error;
  }
}
