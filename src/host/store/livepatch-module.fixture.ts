/** A livepatch module of another tool's, with nothing in it but what it says of itself. */
import { addSection, newRelocatable } from "../../elf/draft.ts";
import { writeElf } from "../../elf/write.ts";
import { type Loadable, readLoadable } from "../../targets/loadable.ts";

/** Its bytes, and what they are read as. */
export interface MadeUpLivepatch {
  readonly data: Buffer;
  readonly loadable: Loadable;
}

/** @param content makes files of one name differ */
export function livepatchModule(name: string, release = "6.1.0-1-amd64", content = ""): MadeUpLivepatch {
  const draft = newRelocatable(62, "little");
  const says = ["livepatch=Y", `name=${name}`, `vermagic=${release} SMP`, `description=${content}`];
  addSection(draft, { name: ".modinfo", data: Buffer.from(says.map((pair) => `${pair}\0`).join("")) });
  const data = writeElf(draft);
  return { data, loadable: readLoadable(data, `${name}.ko`) };
}
