/**
 * Functions of the C library whose pointers are of use only during the call, as
 * the C standard and POSIX tell of them: what formats, compares, copies bytes,
 * takes names of files, or calls back before it returns.
 */
import { type ContractGroup, Contracts } from "./contract.ts";

const USES = { copies: false, returns: undefined, keeps: [] };
const COPIES = { copies: true, returns: undefined, keeps: [] };

const PROGRAM_CONTRACTS: readonly ContractGroup[] = [
  {
    ...USES,
    names: `printf fprintf dprintf sprintf snprintf vprintf vfprintf vdprintf vsprintf vsnprintf asprintf vasprintf
      __printf_chk __fprintf_chk __dprintf_chk __sprintf_chk __snprintf_chk __vprintf_chk __vfprintf_chk
      __vdprintf_chk __vsprintf_chk __vsnprintf_chk __asprintf_chk __vasprintf_chk scanf sscanf fscanf
      __isoc99_sscanf __isoc99_fscanf __isoc99_scanf __isoc23_sscanf __isoc23_fscanf __isoc23_scanf
      perror syslog vsyslog __syslog_chk __vsyslog_chk strftime
      err errx warn warnx verr verrx vwarn vwarnx error __assert_fail __assert_perror_fail __stack_chk_fail`,
  },
  {
    ...USES,
    names: `strcmp strncmp strcasecmp strncasecmp strcoll strlen strnlen strspn strcspn memcmp bcmp atoi atol atoll
      atof qsort qsort_r getenv secure_getenv unsetenv open open64 openat openat64 creat creat64 __open_2
      __open64_2 __openat_2 fopen fopen64 freopen popen access faccessat stat stat64 lstat lstat64 fstatat fstatat64
      __xstat __lxstat unlink unlinkat rename renameat mkdir mkdirat rmdir chdir chmod fchmodat chown lchown link
      symlink readlink readlinkat opendir remove truncate truncate64 mkfifo mknod realpath __realpath_chk
      pthread_mutex_lock pthread_mutex_unlock pthread_mutex_trylock pthread_mutex_init pthread_mutex_destroy
      pthread_rwlock_rdlock pthread_rwlock_wrlock pthread_rwlock_unlock pthread_cond_signal
      pthread_cond_broadcast pthread_once abort exit _exit inet_pton inet_addr inet_aton gettimeofday
      clock_gettime time nanosleep poll select`,
  },
  {
    ...COPIES,
    names: `puts fputs putc fputc putchar fwrite fputs_unlocked fwrite_unlocked write pwrite pwrite64 send sendto
      strdup strndup __strdup __strndup setenv`,
  },
  {
    copies: true,
    returns: 0,
    keeps: [],
    names: `memcpy memmove mempcpy memset memccpy strcpy strncpy strcat strncat stpcpy stpncpy __memcpy_chk __memmove_chk
      __memset_chk __strcpy_chk __strncpy_chk __strcat_chk __strncat_chk __stpcpy_chk __mempcpy_chk strlcpy strlcat`,
  },
  {
    copies: false,
    returns: 0,
    keeps: [],
    names: `strchr strrchr strchrnul strstr strcasestr strpbrk memchr memrchr rawmemchr memmem index rindex
      basename __xpg_basename`,
  },
  { copies: false, returns: 1, keeps: [], names: "bsearch" },
];

/** Contracts of functions that are called by these names, whichever library defines them. */
export function programContracts(): Contracts {
  return new Contracts(PROGRAM_CONTRACTS);
}
