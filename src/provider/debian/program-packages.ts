/** The package that holds a program that suture runs; undefined where that is not known. */
export function packageOf(program: string): string | undefined {
  if (/^gcc-\d+$/.test(program)) return program;
  return Object.hasOwn(PACKAGES, program) ? PACKAGES[program] : undefined;
}

const PACKAGES: Readonly<Record<string, string>> = {
  "apt-get": "apt",
  ar: "binutils",
  as: "binutils",
  bash: "bash",
  busybox: "busybox-static",
  cpio: "cpio",
  "dpkg-deb": "dpkg",
  "dpkg-query": "dpkg",
  flock: "util-linux",
  gcc: "gcc",
  git: "git",
  gzip: "gzip",
  insmod: "kmod",
  ld: "binutils",
  lz4: "lz4",
  make: "make",
  modinfo: "kmod",
  modprobe: "kmod",
  nm: "binutils",
  objcopy: "binutils",
  objdump: "binutils",
  openssl: "openssl",
  patch: "patch",
  "qemu-system-x86_64": "qemu-system-x86",
  readelf: "binutils",
  rmmod: "kmod",
  strip: "binutils",
  tar: "tar",
  xz: "xz-utils",
  zstd: "zstd",
};
