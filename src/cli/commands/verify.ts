import { command } from "../command.ts";
import type { Judged } from "../trust-report.ts";

/** `suture verify`; it asks for a signature whatever the machine's configuration says. */
export const verifyCommand = command({
  name: "verify",
  summary: "say by which trusted key livepatches are signed, what each is for, and its version",
  description:
    "Says by which trusted key each livepatch is signed, for which kernel or program it is, and its version. Nothing is loaded. Exit code 2 if one is not signed by a key that is trusted, or is not the file that was signed.",
  arguments: [{ name: "FILE", kind: "file", many: true, summary: "a livepatch, with its signature in FILE.sig" }],
  options: {
    key: {
      kind: "file",
      value: "FILE",
      many: true,
      summary: "trust this public key, and no other; may be given more than once",
    },
  },
  async run(given, { signal }) {
    const { hostPaths } = await import("../../host/paths.ts");
    const { judgeLivepatch } = await import("../../host/trust/judge.ts");
    const { readPublicKey } = await import("../../host/trust/key.ts");
    const { withSignature } = await import("../../host/trust/policy.ts");
    const { trustedKeys } = await import("../../host/trust/trusted-keys.ts");
    const { readGivenFile } = await import("../../lib/read-file.ts");
    const { verifyOutcome } = await import("../trust-report.ts");
    const named = given.options.key.map(async (path) => ({ ...(await readPublicKey(path, signal)), name: path, path }));
    const keys = named.length > 0 ? await Promise.all(named) : await trustedKeys(hostPaths());
    const judged: Judged[] = [];
    for (const file of given.arguments) {
      const livepatch = await withSignature(file, await readGivenFile(file, { signal }), signal);
      const trust = judgeLivepatch(livepatch, { requireSignatures: true, keys });
      if (trust.kind === "unsigned") throw new Error("a signature was required");
      judged.push({ file, trust });
    }
    return verifyOutcome(judged);
  },
});
