/** Why a process cannot take in a livepatch as things are, as far as that can be told from outside. */
import { readFileSync } from "node:fs";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import type { BoundObject } from "../../process/loader/bind.ts";
import { layOut } from "../../process/loader/layout.ts";
import { type ProcessStatus, type ProcessView, statusOf } from "../../process/maps/process-view.ts";

/** More than the control mapping, trampolines and stubs take; bytes. */
const OVERHEAD = 8 << 20;

/** What is true of the process whatever the livepatch is. */
export function processRefusals(view: ProcessView): Refusal[] {
  const { pid, status } = view;
  const where = `${status.name} (${pid})`;
  return [alreadyTraced(status, where), stoppedByCgroup(pid, where), filtered(status, where)].filter(
    (each) => each !== undefined,
  );
}

/** What this livepatch asks of the process. */
export function livepatchRefusals(view: ProcessView, bound: readonly BoundObject[]): Refusal[] {
  return [...bound.flatMap(indirect), ...bound.flatMap((each) => sharedCode(view, each)), ...outOfMemory(view, bound)];
}

function alreadyTraced({ tracer }: ProcessStatus, where: string): Refusal | undefined {
  if (tracer === 0) return undefined;
  return refusal(
    "ALREADY_TRACED",
    `a debugger is attached: ${nameOf(tracer)} (${tracer})`,
    where,
    "end the debugger or detach it: a process has one at a time",
  );
}

function nameOf(pid: number): string {
  try {
    return statusOf(pid).name;
  } catch {
    return "a process that cannot be seen";
  }
}

/** A frozen process cannot run the system calls that map memory. */
function stoppedByCgroup(pid: number, where: string): Refusal | undefined {
  const group = /^0::(.*)$/m.exec(read(`/proc/${pid}/cgroup`))?.[1];
  if (group === undefined || !/^frozen 1$/m.test(read(`/sys/fs/cgroup${group}/cgroup.events`))) return undefined;
  return refusal("FROZEN", "the process's control group is frozen", where, "thaw it, and try again");
}

const CAP_SYS_ADMIN = 21n;

/** A filter might end the process for the mmap that we have it do; the kernel lets a privileged tracer suspend it. */
function filtered({ seccomp }: ProcessStatus, where: string): Refusal | undefined {
  if (seccomp === 0) return undefined;
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(read("/proc/self/status"))?.[1] ?? "0";
  if (((BigInt(`0x${effective}`) >> CAP_SYS_ADMIN) & 1n) === 1n) return undefined;
  return refusal(
    "SECCOMP",
    "the process filters its system calls, and this user may not suspend that",
    where,
    "run suture as root: it needs CAP_SYS_ADMIN for this process",
  );
}

/** The function that chooses a version has run already, and its choice is in place. */
function indirect({ part, loaded }: BoundObject): Refusal[] {
  return part.record.funcs.flatMap(({ name, address }) => {
    const symbol = loaded.dynamic?.find(name);
    if (symbol?.type !== "ifunc" || symbol.value !== address) return [];
    return [
      refusal(
        "IFUNC",
        `${name} chooses which version of a function is taken (ifunc), and has chosen already`,
        loaded.path,
        "change the versions themselves",
      ),
    ];
  });
}

/** A copy of the process's own is made of a page that is written to, but not of one that is mapped shared. */
function sharedCode({ mappings }: ProcessView, { part, loaded }: BoundObject): Refusal[] {
  const { bias } = loaded.elf;
  const shared = part.record.funcs.find(({ address }) =>
    mappings.some(({ start, end, isShared }) => isShared === true && start <= bias + address && bias + address < end),
  );
  if (shared === undefined) return [];
  return [
    refusal(
      "CODE_SHARED",
      `the code of ${shared.name} is mapped so that others share it (MAP_SHARED), and a hook there would be theirs too`,
      loaded.path,
      "have the program map its code privately, or restart it with the fixed version",
    ),
  ];
}

function outOfMemory(view: ProcessView, bound: readonly BoundObject[]): Refusal[] {
  const sizes = bound.map(({ part }) => layOut(part));
  const needed = OVERHEAD + sizes.reduce((sum, { executable, writable }) => sum + executable + writable, 0);
  const limit = view.addressSpaceLimit();
  if (view.status.virtualSize + needed <= limit) return [];
  return [
    refusal(
      "TARGET_OUT_OF_MEMORY",
      `the process may have ${limit} bytes of address space, has ${view.status.virtualSize}, and needs ${needed} more`,
      `${view.status.name} (${view.pid})`,
      `raise its limit: prlimit --pid ${view.pid} --as=BYTES`,
    ),
  ];
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
