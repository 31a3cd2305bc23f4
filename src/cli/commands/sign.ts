import { command } from "../command.ts";
import { usage } from "../usage.ts";

/** `suture sign`; nothing is written unless all files can be signed. */
export const signCommand = command({
  name: "sign",
  summary: "sign livepatches, so that machines that trust the key take them in",
  description:
    "Signs livepatches: for each FILE the signature is written to FILE.sig, and the file itself stays as it is, unless --kernel-key is given: then the kernel's own signature is appended to it first. docs/signatures.md has the format, and how openssl verifies it. " +
    "Exit code 2 if a file is refused; nothing is written then.",
  arguments: [{ name: "FILE", kind: "file", many: true, summary: "a livepatch, for the kernel or for programs" }],
  options: {
    key: { kind: "file", value: "KEY", summary: "the secret key, as `suture key generate` writes it" },
    "kernel-key": {
      kind: "file",
      value: "KEY",
      summary: "sign a kernel's livepatch as the kernel's build signs modules, in the file itself, with this key (PEM)",
    },
    certificate: { kind: "file", value: "CERT", summary: "the certificate of that key, which the kernel knows (PEM)" },
    comment: { kind: "text", value: "TEXT", summary: "a line that is signed too, and shown to who verifies" },
  },
  async run(given, context) {
    const { key, comment, certificate, "kernel-key": kernelKey } = given.options;
    if (key === undefined && kernelKey === undefined)
      throw usage("with which key to sign is not given: --key KEY, or --kernel-key KEY --certificate CERT", "sign");
    if ((kernelKey === undefined) !== (certificate === undefined))
      throw usage("--kernel-key and --certificate belong together", "sign");
    if (given.arguments.includes("-"))
      throw usage("a signature lies beside a file, and standard input is none", "sign");
    const module = kernelKey === undefined || certificate === undefined ? undefined : { key: kernelKey, certificate };
    const { runSign } = await import("../run-sign.ts");
    return await runSign(given.arguments, { key, comment, module }, context);
  },
});
