/** Functions that the compiler calls, or knows, without their names being in the text. */

const LIBRARY = new Set(
  (
    "abort abs alloca bcmp bcopy bzero calloc exit ffs ffsl ffsll fputc fputs fprintf free fwrite index labs llabs " +
    "main malloc memchr memcmp memcpy memmove mempcpy memset printf putc putchar puts realloc rindex snprintf sprintf " +
    "stpcpy stpncpy strcat strchr strcmp strcpy strcspn strdup strlen strncat strncmp strncpy strndup strnlen " +
    "strpbrk strrchr strspn strstr vfprintf vprintf vsnprintf vsprintf"
  ).split(" "),
);

/** Of libgcc, sanitizers, profilers, stack protector, mitigations; and all that begins like a builtin. */
const RUNTIME =
  /_unlocked$|^(_?mcount$|_GLOBAL_OFFSET_TABLE_|_Unwind_|__(builtin_|atomic_|sync_|(ref_)?stack_chk_|fentry__|mcount|asan_|hwasan_|kasan_|tsan_|ubsan_|msan_|sanitizer_|gcov_|llvm_|cyg_profile_|x86_|indirect_|tls_|emutls_|cxa_|gcc_|(mem|str|stp|s|sn|vs|vsn)[a-z]+_chk$|[a-z]+[dst]i[2-4]$|[a-z]+[sdxt]f[2-4]$|[a-z]+[sd]i[sdxt]f$))/;

/** A declaration of one of these can change code in which it is not named. */
export function isImplied(name: string): boolean {
  return LIBRARY.has(name) || RUNTIME.test(name);
}
