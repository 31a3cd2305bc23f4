/**
 * Headers of the kernel from which programs of its build make source: what they
 * make is no part of a diff, and is not made anew. Source: the rules of the
 * Makefiles that are named.
 */

interface Generated {
  readonly file: string;
  /** What of the header's text it is made of. */
  readonly taken: (text: string) => string;
}

const lines = (pattern: RegExp) => (text: string) =>
  text
    .split("\n")
    .filter((line) => pattern.test(line))
    .map((line) => line.replace(/\s+/g, " ").trim())
    .join("\n");

/** All but comments and the space between words. */
const words = (text: string) =>
  text
    .replace(/\/\*[\s\S]*?\*\//g, " ")
    .replace(/\s+/g, " ")
    .trim();

const GENERATED: Readonly<Record<string, readonly Generated[]>> = {
  // arch/x86/kernel/cpu/Makefile
  "arch/x86/include/asm/cpufeatures.h": [{ file: "arch/x86/kernel/cpu/capflags.c", taken: flagNames }],
  "arch/x86/include/asm/vmxfeatures.h": [{ file: "arch/x86/kernel/cpu/capflags.c", taken: flagNames }],
  // lib/Makefile
  "include/linux/oid_registry.h": [{ file: "lib/oid_registry_data.c", taken: lines(/\bOID_\w+,/) }],
  // security/apparmor/Makefile
  "include/uapi/linux/capability.h": [
    { file: "security/apparmor/capability_names.h", taken: lines(/^#define[ \t]+CAP_\w+[ \t]+\d/) },
  ],
  "include/uapi/asm-generic/resource.h": [
    { file: "security/apparmor/rlim_names.h", taken: lines(/^# ?define[ \t]+RLIMIT_\w+/) },
  ],
  "include/linux/socket.h": [{ file: "security/apparmor/net_names.h", taken: lines(/^#define[ \t]+AF_\w+[ \t]+\d/) }],
  "include/linux/net.h": [{ file: "security/apparmor/net_names.h", taken: lines(/^\tSOCK_\w+\s+=/) }],
  // security/selinux/Makefile: scripts/selinux/genheaders
  "security/selinux/include/classmap.h": [{ file: "security/selinux/flask.h", taken: words }],
  "security/selinux/include/initial_sid_to_string.h": [{ file: "security/selinux/flask.h", taken: words }],
  // drivers/scsi/Makefile
  "include/scsi/scsi_devinfo.h": [
    { file: "drivers/scsi/scsi_devinfo_tbl.c", taken: lines(/define *BLIST_[A-Z0-9_]*/) },
  ],
};

/** The first file that would be another one with the header's new text; undefined where none is made of what differs. */
export function generatedFrom(path: string, original: string, patched: string): string | undefined {
  return GENERATED[path]?.find(({ taken }) => taken(original) !== taken(patched))?.file;
}

/**
 * What /proc/cpuinfo shows: a flag's name, or what its comment begins with in
 * quotes. Since 6.11 only what is in quotes is shown, before that all but `""`.
 */
function flagNames(text: string): string {
  const isByDefault = /\/\*\s*""/.test(text);
  return [...text.matchAll(/^ *# *define *((?:X86_FEATURE|X86_BUG|VMX_FEATURE)_\w+)(.*)/gm)]
    .map(([, name = "", rest = ""]) => {
      const quoted = /\/\*\s*"([^"]*)"/.exec(rest)?.[1];
      const place = rest.replace(/\/\*.*/, "").replace(/\s+/g, "");
      return { name, place, shown: quoted ?? (isByDefault ? name.toLowerCase() : "") };
    })
    .filter(({ shown }) => shown !== "")
    .map(({ name, place, shown }) => `${name} ${place} ${shown}`)
    .join("\n");
}
