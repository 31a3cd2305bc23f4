/** Whether an installed livepatch may still be let in: keys and the configuration may have changed since. */
import type { Installed } from "../store/installed.ts";
import type { HostStore } from "../store/store.ts";
import { judgeLivepatch, type Trust } from "../trust/judge.ts";
import { administratorsPolicy, type Taker } from "../trust/policy.ts";

/** Throws `STORE_DAMAGED` where its file is not as it was installed, and what `administratorsPolicy` and `judgeLivepatch` throw. */
export async function admitInstalled(
  { files }: Pick<HostStore, "files">,
  { name, digest, target, signature }: Installed,
  taker: Taker,
): Promise<Trust> {
  // A module that does not say its name has it from its file.
  const path = target.kind === "kernel" ? `${name}.ko` : files.pathOf(digest);
  const given = { path, data: files.read(digest), signature: signature && Buffer.from(signature) };
  return judgeLivepatch(given, await administratorsPolicy(given, taker));
}
