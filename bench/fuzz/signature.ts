import { parseSignature, signatureLine, statementText } from "../../src/host/trust/statement.ts";
import { moduleSignature } from "../../src/patch/module-signature.ts";
import { certificateAt, signerOf } from "../../src/targets/kernel/signing/certificate.ts";
import type { FuzzParser } from "./parser.ts";

const SIGNATURE = Buffer.concat([
  statementText({
    key: "0123456789abcdef".repeat(4),
    name: "livepatch_fix",
    targets: ["kernel 6.1.0-1-amd64 00ff", "program libc.so.6 0123"],
    version: 3,
    size: 18_320,
    sha256: "fedcba9876543210".repeat(4),
    comment: "a fix",
  }),
  signatureLine(Buffer.alloc(64, 7)),
]);

/** The file beside a livepatch. What is taken is what would be written. */
export const signature: FuzzParser = {
  name: "signature",
  seeds: () => [{ data: SIGNATURE }],
  run(data) {
    const parsed = parseSignature(data);
    if (parsed.kind !== "signature") return;
    const { statement, signature: bytes } = parsed.file;
    const written = Buffer.concat([statementText(statement), signatureLine(bytes)]);
    if (!written.equals(data)) throw new Error("two files say the same");
  },
};

/** PKCS#7 of one signer: issuer `CN=A`, number 1; and a certificate of its key. */
const PKCS7 = Buffer.from(
  "303b06092a864886f70d010702a02e302c0201013100300b06092a864886f70d010701311830160201013011300c310a3008" +
    "0603550403130141020101",
  "hex",
);
const CERTIFICATE = Buffer.from(
  "303d303ba0030201020201013000300c310a300806035504031301413000300c310a300806035504031301413000a30f300d" +
    "300b0603551d0e04040402abcd",
  "hex",
);

/** What tells who signed a module. */
export const signer: FuzzParser = {
  name: "signer",
  seeds: () => [PKCS7, CERTIFICATE].map((data) => ({ data })),
  run(data) {
    certificateAt(data);
    signerOf(data);
    moduleSignature(data);
  },
};
