/** A livepatch that another one had replaced comes into force again. */
import { hostPaths } from "../host/paths.ts";
import { HostStore } from "../host/store/store.ts";
import { SutureError } from "../lib/error.ts";
import { releaseOf } from "../targets/kernel/identity.ts";
import type { Loadable } from "../targets/loadable.ts";
import { kernelTarget } from "./in-kernel.ts";
import { recordHistory } from "./record-history.ts";
import { inEachProcess, type VerbRun } from "./run-in-processes.ts";

/** What is to be in force again, and where. */
export interface Lost {
  readonly name: string;
  /** Of the process; undefined: in the kernel. */
  readonly pid: number | undefined;
  /** SHA-256 of the file that has taken its place: what did harm does not come back under the same name. */
  readonly notDigest: string;
}

/**
 * Enables it where it is still loaded, which in a process it is; else loads the installed file of
 * that name, as far as it may be let in. Whether it is in force then is to be looked at: what is
 * refused, or fails, is in nobody's way who has harm to tell of.
 */
export async function bringBack(lost: Lost, how: VerbRun): Promise<void> {
  try {
    await inForceAgain(lost, how);
  } catch (error) {
    if (!(error instanceof SutureError)) throw error;
  }
}

async function inForceAgain(lost: Lost, how: VerbRun): Promise<void> {
  if (lost.pid !== undefined && (await enabledAgain(lost.name, lost.pid, how))) return;
  for (const loadable of await installedFiles(lost, how)) {
    const result = await loadAgain(loadable, lost, how);
    if (result === undefined) continue;
    await recordHistory("load", lost.name, [result]);
    if (result.outcome === "done") return;
  }
}

async function enabledAgain(name: string, pid: number, how: VerbRun): Promise<boolean> {
  const [result] = await inEachProcess([pid], how, (target) => target.enable(name), { mayEnd: true });
  if (result?.outcome !== "done") return false;
  await recordHistory("enable", name, [result]);
  return true;
}

async function loadAgain({ kind, livepatch }: Loadable, { pid }: Lost, how: VerbRun) {
  if (kind === "kernel") return await kernelTarget(how).load(livepatch);
  const [result] = await inEachProcess([pid as number], how, (target) => target.load(livepatch), { mayEnd: true });
  return result;
}

async function installedFiles({ name, pid, notDigest }: Lost, { context }: VerbRun): Promise<Loadable[]> {
  const kind = pid === undefined ? "kernel" : "program";
  using store = HostStore.open(hostPaths());
  if (store === undefined) return [];
  const release = await releaseOf("/");
  const files = store
    .installed()
    .filter((each) => each.name === name && each.digest !== notDigest && each.leftOut === undefined)
    .filter(({ target }) => target.kind === kind && (target.kind === "program" || target.release === release));
  const { admitInstalled } = await import("../host/boot/admit.ts");
  const trusts = await Promise.all(files.map((each) => admitInstalled(store, each, context.taker)));
  return trusts.flatMap((trust) => (trust.kind === "refused" ? [] : [trust.loadable]));
}
