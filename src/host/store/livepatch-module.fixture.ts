/** A livepatch module of another tool's, with nothing in it but what it says of itself. */
import { addSection, newRelocatable } from "../../elf/draft.ts";
import { writeElf } from "../../elf/write.ts";
import type { GivenLivepatch } from "../trust/judge.ts";
import type { InstallPolicy } from "./install.ts";

/** Who lets everything in. */
export const ANYTHING: InstallPolicy = { requireSignatures: false, keys: [] };

/** @param content makes files of one name differ */
export function livepatchModule(name: string, release = "6.1.0-1-amd64", content = ""): GivenLivepatch {
  const draft = newRelocatable(62, "little");
  const says = ["livepatch=Y", `name=${name}`, `vermagic=${release} SMP`, `description=${content}`];
  addSection(draft, { name: ".modinfo", data: Buffer.from(says.map((pair) => `${pair}\0`).join("")) });
  return { path: `${name}.ko`, data: writeElf(draft), signature: undefined };
}
