import { EXIT } from "../../lib/error.ts";
import { command } from "../command.ts";

/** `suture key generate`. Neither file takes the place of one that is there. */
export const keyGenerateCommand = command({
  name: "key generate",
  summary: "make a pair of keys: a secret one that signs livepatches, and the public one that tells who signed",
  description:
    "Makes a pair of Ed25519 keys: NAME.key, the secret key, which only this user can read, and NAME.pub, the public key, for the machines that are to trust it. Nothing that is there is written over.",
  arguments: [{ name: "NAME", kind: "file", summary: "where to put them, without the ending" }],
  options: {},
  async run(given) {
    const { generateKeyFiles } = await import("../../host/trust/key-files.ts");
    const [name = ""] = given.arguments;
    const key = await generateKeyFiles(name);
    const lines = [`${key.secret}: the secret key: keep it where nobody else comes`, `${key.public}: the public key`];
    return { exit: EXIT.done, json: { key }, lines: [...lines, `  id ${key.id}`] };
  },
});

/** `suture key list`. */
export const keyListCommand = command({
  name: "key list",
  summary: "the keys whose signatures are trusted on this machine",
  arguments: [],
  options: {},
  async run() {
    const { trustedKeys } = await import("../../host/trust/trusted-keys.ts");
    const { hostPaths } = await import("../../host/paths.ts");
    const { trustedKeyJson } = await import("../trust-report.ts");
    const paths = hostPaths();
    const keys = await trustedKeys(paths);
    const width = Math.max(0, ...keys.map(({ name }) => name.length));
    const lines = keys.map(({ name, id }) => `${name.padEnd(width)}  ${id}`);
    return {
      exit: EXIT.done,
      json: { directory: paths.keys, keys: keys.map(trustedKeyJson) },
      lines: lines.length === 0 ? [`no key is trusted: ${paths.keys} has none`] : lines,
    };
  },
});

/** `suture key trust`. */
export const keyTrustCommand = command({
  name: "key trust",
  summary: "trust what a key has signed, on this machine",
  description:
    "Trusts what a key has signed, on this machine: the public key is put beside the others that are trusted. Compare its id with what its owner says, by a way that is sure, before.",
  arguments: [{ name: "FILE", kind: "file", summary: "the public key, as `suture key generate` writes it" }],
  options: {
    name: { kind: "text", value: "NAME", summary: "what to call it here; default: the file's name, without .pub" },
  },
  async run(given, { signal }) {
    const { basename } = await import("node:path");
    const { hostPaths } = await import("../../host/paths.ts");
    const { readPublicKey } = await import("../../host/trust/key.ts");
    const { trustKey } = await import("../../host/trust/trusted-keys.ts");
    const { trustedKeyJson } = await import("../trust-report.ts");
    const [path = ""] = given.arguments;
    const name = given.options.name ?? basename(path).replace(/\.pub$/, "");
    const { outcome, key } = await trustKey(hostPaths(), await readPublicKey(path, signal), name);
    const said = outcome === "trusted" ? "is trusted" : "was trusted already";
    return {
      exit: EXIT.done,
      json: { outcome, key: trustedKeyJson(key) },
      lines: [`the key ${key.name} ${said}`, `  id ${key.id}`],
    };
  },
});

/** `suture key remove`. What is loaded or installed by then is left as it is. */
export const keyRemoveCommand = command({
  name: "key remove",
  summary: "trust a key no more, from the next livepatch on",
  arguments: [{ name: "KEY", kind: "key", summary: "its name, or its id, of which 16 digits are enough" }],
  options: {},
  async run(given) {
    const { hostPaths } = await import("../../host/paths.ts");
    const { removeKey } = await import("../../host/trust/trusted-keys.ts");
    const { trustedKeyJson } = await import("../trust-report.ts");
    const [which = ""] = given.arguments;
    const key = await removeKey(hostPaths(), which);
    const lines = [`the key ${key.name} is not trusted any more`, `  id ${key.id}`];
    return { exit: EXIT.done, json: { removed: trustedKeyJson(key) }, lines };
  },
});
