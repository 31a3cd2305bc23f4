/** What the kernel knows a key by, and what a module's signature says of the key that made it. */
import { contentOf, type DerValue, derValue, derValues, inside, NotDer, TAG } from "./der.ts";

/** By what a certificate is found (RFC 5280), and what /proc/keys shows of it. Numbers and ids in hexadecimal. */
export interface Certificate {
  readonly serial: string;
  /** As DER, hexadecimal. */
  readonly issuer: string;
  /** As the kernel words it. */
  readonly subject: string;
  /** The subject key identifier, where it has one. */
  readonly keyId: string | undefined;
}

/** Who made a signature: `keyId`, or issuer and serial number, name a certificate. */
export type Signer =
  | { readonly kind: "serial"; readonly serial: string; readonly issuer: string; readonly issuerName: string }
  | { readonly kind: "key"; readonly keyId: string };

/** undefined where the bytes do not begin with a certificate. @returns also how many bytes it has */
export function certificateAt(data: Buffer): { readonly certificate: Certificate; readonly size: number } | undefined {
  return orNothing(() => {
    const whole = derValue(data);
    const [body] = inside(whole, TAG.sequence);
    const parts = inside(body, TAG.sequence);
    const [, serial, , issuer, , subject] = parts[0]?.tag === TAG.context0 ? parts : [undefined, ...parts];
    const certificate = {
      serial: contentOf(serial, TAG.integer).toString("hex"),
      issuer: contentOf(issuer, TAG.sequence).toString("hex"),
      subject: kernelName(subject),
      keyId: keyIdOf(parts.find(({ tag }) => tag === TAG.context3)),
    };
    return { certificate, size: whole.whole.length };
  });
}

/**
 * Who signed, by a PKCS#7 message (RFC 5652) without attributes and certificates, as the kernel's
 * build makes it. undefined where it is none, or has several signers.
 */
export function signerOf(pkcs7: Buffer): Signer | undefined {
  return orNothing(() => {
    const [, explicit] = inside(derValue(pkcs7), TAG.sequence);
    const [signed] = inside(explicit, TAG.context0);
    const signers = inside(inside(signed, TAG.sequence).at(-1), TAG.set);
    const [, id] = inside(signers[0], TAG.sequence);
    if (signers.length !== 1 || id === undefined) return undefined;
    if (id.tag === TAG.octets0) return { kind: "key", keyId: id.content.toString("hex") };
    const [issuer, serial] = inside(id, TAG.sequence);
    return {
      kind: "serial",
      serial: contentOf(serial, TAG.integer).toString("hex"),
      issuer: contentOf(issuer, TAG.sequence).toString("hex"),
      issuerName: kernelName(issuer),
    };
  });
}

/** Whether it is the certificate of the key that signed. Source: find_asymmetric_key and pkcs7_validate_trust_one. */
export function isOf(signer: Signer, { serial, issuer, keyId }: Certificate): boolean {
  return signer.kind === "key" ? signer.keyId === keyId : signer.serial === serial && signer.issuer === issuer;
}

/** Object identifiers, as DER. */
const COMMON_NAME = "550403";
const ORGANISATION = "55040a";
const EMAIL = "2a864886f70d010901";
const SUBJECT_KEY_IDENTIFIER = "551d0e";

/** Source: x509_fabricate_name, crypto/asymmetric_keys/x509_cert_parser.c. */
function kernelName(name: DerValue | undefined): string {
  const parts = new Map<string, string>();
  for (const set of inside(name, TAG.sequence))
    for (const pair of inside(set, TAG.set)) {
      const [type, value] = inside(pair, TAG.sequence);
      if (value === undefined) throw new NotDer();
      parts.set(contentOf(type, TAG.identifier).toString("hex"), value.content.toString("utf8"));
    }
  const common = parts.get(COMMON_NAME);
  const organisation = parts.get(ORGANISATION);
  if (common === undefined || organisation === undefined) return common ?? organisation ?? parts.get(EMAIL) ?? "";
  const sameStart = common.length >= 7 && organisation.length >= 7 && common.slice(0, 7) === organisation.slice(0, 7);
  return common.startsWith(organisation) || sameStart ? common : `${organisation}: ${common}`;
}

function keyIdOf(extensions: DerValue | undefined): string | undefined {
  if (extensions === undefined) return undefined;
  const [list] = inside(extensions, TAG.context3);
  for (const each of inside(list, TAG.sequence)) {
    const parts = inside(each, TAG.sequence);
    if (contentOf(parts[0], TAG.identifier).toString("hex") !== SUBJECT_KEY_IDENTIFIER) continue;
    const [id] = derValues(contentOf(parts.at(-1), TAG.octets));
    return contentOf(id, TAG.octets).toString("hex");
  }
  return undefined;
}

function orNothing<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof NotDer) return undefined;
    throw error;
  }
}
