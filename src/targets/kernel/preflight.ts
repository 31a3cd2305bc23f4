import { open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { notesOf } from "../../elf/notes.ts";
import { type LivepatchFile, madeForAnother } from "../../patch/livepatch-file.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import { LIVEPATCHES, readIfThere, readPatches } from "./sysfs.ts";

/** Why the kernel, the root of whose file system is `root`, would not take the livepatch in now. */
export async function preflight(root: string, livepatch: LivepatchFile): Promise<Refusal[]> {
  const found = [
    madeForAnother(livepatch, await releaseOf(root)),
    await noLivepatching(root),
    await otherKernel(root, livepatch),
    ...(await otherModules(root, livepatch)),
    await alreadyThere(root, livepatch),
    await inTransition(root),
    await mustBeSigned(root, livepatch),
  ];
  return found.filter((each) => each !== undefined);
}

export async function releaseOf(root: string): Promise<string> {
  return (await readIfThere(join(root, "proc/sys/kernel/osrelease")))?.trim() ?? "";
}

/** The running kernel's, hexadecimal. */
export async function kernelBuildId(root: string): Promise<string | undefined> {
  return await buildIdIn(join(root, "sys/kernel/notes"));
}

const NT_GNU_BUILD_ID = 3;

async function buildIdIn(path: string): Promise<string | undefined> {
  const data = await readFile(path).catch(() => undefined);
  if (data === undefined) return undefined;
  const notes = notesOf(data, "little", 4, { file: path });
  return notes.find(({ owner, type }) => owner === "GNU" && type === NT_GNU_BUILD_ID)?.description.toString("hex");
}

async function noLivepatching(root: string): Promise<Refusal | undefined> {
  const path = join(root, LIVEPATCHES);
  const there = await stat(path).catch(() => undefined);
  if (there?.isDirectory() === true) return undefined;
  return refusal(
    "NO_LIVEPATCHING",
    "this kernel takes in no livepatches",
    `no ${path}`,
    "it has to be built with CONFIG_LIVEPATCH=y, and sysfs has to be mounted",
  );
}

async function otherKernel(root: string, { name, metadata }: LivepatchFile): Promise<Refusal | undefined> {
  const has = await kernelBuildId(root);
  const wanted = metadata?.kernel.buildId;
  if (wanted === undefined || has === undefined || wanted === has) return undefined;
  return refusal(
    "WRONG_KERNEL",
    `${name} was proved against another build of this release`,
    `build-id ${has}, wanted ${wanted}`,
    "build it again with: suture build --kernel running",
  );
}

/** Modules that are loaded and are not those that the livepatch was proved against. */
async function otherModules(root: string, { name, metadata }: LivepatchFile): Promise<Refusal[]> {
  const refusals: Refusal[] = [];
  for (const object of metadata?.objects ?? []) {
    const has = await buildIdIn(join(root, "sys/module", object.name, "notes/.note.gnu.build-id"));
    if (object.name === "vmlinux" || has === undefined || object.buildId === undefined || has === object.buildId)
      continue;
    refusals.push(
      refusal(
        "WRONG_MODULE",
        `${name} was proved against another build of the module ${object.name}`,
        `build-id ${has}, wanted ${object.buildId}`,
        "build it again against the module that is loaded, with --modules",
      ),
    );
  }
  return refusals;
}

async function alreadyThere(root: string, { name }: LivepatchFile): Promise<Refusal | undefined> {
  const path = join(root, "sys/module", name);
  if ((await stat(path).catch(() => undefined)) === undefined) return undefined;
  return refusal(
    "ALREADY_LOADED",
    `${name} is loaded already`,
    path,
    `disable and unload it first, or build it under another name`,
  );
}

/** The kernel has one transition at a time. */
async function inTransition(root: string): Promise<Refusal | undefined> {
  const moving = (await readPatches(root)).find(({ transition }) => transition);
  if (moving === undefined) return undefined;
  return refusal(
    "TRANSITION_IN_PROGRESS",
    `the transition of ${moving.name} has not ended`,
    join(root, LIVEPATCHES, moving.name, "transition"),
    "wait for it, or see which tasks hold it up in its status",
  );
}

/** The kernel's own mark at the end of a signed module (include/linux/module_signature.h). */
const SIGNATURE_MARK = "~Module signature appended~\n";

async function mustBeSigned(root: string, { name, path }: LivepatchFile): Promise<Refusal | undefined> {
  const enforced = (await readIfThere(join(root, "sys/module/module/parameters/sig_enforce")))?.trim() === "Y";
  const lockdown = /\[(integrity|confidentiality)\]/.test(
    (await readIfThere(join(root, "sys/kernel/security/lockdown"))) ?? "",
  );
  if ((!enforced && !lockdown) || (await isSigned(path))) return undefined;
  return refusal(
    "UNSIGNED",
    `this kernel takes in signed modules only, and ${name} has no signature`,
    enforced ? "module.sig_enforce" : "lockdown",
    "sign it with a key that the kernel trusts (scripts/sign-file in the kernel's headers)",
  );
}

async function isSigned(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const mark = Buffer.alloc(SIGNATURE_MARK.length);
    await file.read(mark, 0, mark.length, Math.max(0, size - mark.length));
    return mark.toString("latin1") === SIGNATURE_MARK;
  } finally {
    await file.close();
  }
}
