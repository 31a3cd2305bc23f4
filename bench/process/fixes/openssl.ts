/** Fixes of libcrypto, loaded into a web server that talks TLS. */
import type { Fix, Place, Service } from "./fix.ts";
import { type PythonService, startPython } from "./python-site.ts";

const VERSION = "3.0.20-1~deb12u2";
const source = { name: "openssl", version: VERSION, patchesFrom: VERSION };
const before = {
  kind: "left-out",
  rebuild: {
    command: ["make", "-C", "build_shared", "libcrypto.so.3", "libssl.so.3"],
    program: "build_shared/libcrypto.so.3",
    beside: ["build_shared/libssl.so.3"],
  },
} as const;

const SITE = `
import hashlib
lib = ctypes.CDLL("libcrypto.so.3")
for name in ("EVP_CIPHER_CTX_new", "EVP_aes_128_ocb", "EVP_CIPHER_fetch"):
    getattr(lib, name).restype = ctypes.c_void_p

def work():
    return hashlib.sha256(b"a page of its own").hexdigest().encode()
`;
/** One key, two nonces, and EVP_Cipher() on each. */
const OCB = `
def sealed(nonce):
    context, out = ctypes.c_void_p(lib.EVP_CIPHER_CTX_new()), ctypes.create_string_buffer(16)
    lib.EVP_EncryptInit_ex(context, ctypes.c_void_p(lib.EVP_aes_128_ocb()), None, bytes(16), nonce)
    lib.EVP_Cipher(context, out, b"sixteen letters!", 16)
    lib.EVP_CIPHER_CTX_free(context)
    return out.raw

def by_nonce():
    return "another ciphertext" if sealed(b"a" * 12) != sealed(b"b" * 12) else "the same ciphertext"
`;
/** A message that verifies, and then one that is forged and empty, on the same context. */
const SIV = `
def by_message():
    cipher = ctypes.c_void_p(lib.EVP_CIPHER_fetch(None, b"AES-128-SIV", None))
    context, size = ctypes.c_void_p(lib.EVP_CIPHER_CTX_new()), ctypes.c_int()
    sealed, tag, out = (ctypes.create_string_buffer(16) for _ in range(3))
    key = bytes(range(32))
    lib.EVP_EncryptInit_ex2(context, cipher, key, None, None)
    lib.EVP_EncryptUpdate(context, sealed, ctypes.byref(size), b"payload!", 8)
    lib.EVP_EncryptFinal_ex(context, out, ctypes.byref(size))
    lib.EVP_CIPHER_CTX_ctrl(context, 0x10, 16, tag)
    lib.EVP_CIPHER_CTX_free(context)
    context = ctypes.c_void_p(lib.EVP_CIPHER_CTX_new())
    lib.EVP_DecryptInit_ex2(context, cipher, key, None, None)
    lib.EVP_CIPHER_CTX_ctrl(context, 0x11, 16, tag)
    true = lib.EVP_DecryptUpdate(context, out, ctypes.byref(size), sealed, 8)
    lib.EVP_DecryptFinal_ex(context, out, ctypes.byref(size))
    lib.EVP_DecryptInit_ex2(context, None, None, None, None)
    lib.EVP_CIPHER_CTX_ctrl(context, 0x11, 16, bytes(16))
    lib.EVP_DecryptUpdate(context, None, ctypes.byref(size), b"forged header", 13)
    forged = lib.EVP_DecryptFinal_ex(context, out, ctypes.byref(size))
    lib.EVP_CIPHER_CTX_free(context)
    return f"the true one {'verifies' if true == 1 else 'fails'}, the forged one {'verifies' if forged == 1 else 'fails'}"
`;

const PROBE = `
def probe():
    return f"under another nonce: {by_nonce()}; {by_message()}"
`;

/** Answers by TLS, from libssl and libcrypto of the same version. */
const start = (place: Place): Promise<Service> => startPython(place, { program: SITE + OCB + SIV + PROBE, tls: true });

async function asked(service: Service, part: 0 | 1): Promise<string> {
  return (await (service as PythonService).ask()).split("; ")[part] ?? "";
}

export const OPENSSL: readonly Fix[] = [
  {
    id: "CVE-2026-45445",
    what: "AES-OCB by EVP_Cipher() does not use the nonce (its ciphertexts can be read and forged)",
    source,
    before,
    diffs: ["Apply-the-buffered-IV-on-the-AES-OCB-EVP_Cipher-path.patch"],
    start,
    async probe(service) {
      const seen = await asked(service, 0);
      return { fixed: seen.includes("another ciphertext"), seen };
    },
  },
  {
    id: "CVE-2026-45446",
    what: "AES-SIV takes a forged empty message after a true one",
    source,
    before,
    diffs: ["Fix-handling-of-empty-ciphertext-messages-in-AES-SIV.patch"],
    start,
    async probe(service) {
      const seen = await asked(service, 1);
      return { fixed: seen.endsWith("the forged one fails"), seen };
    },
  },
];
