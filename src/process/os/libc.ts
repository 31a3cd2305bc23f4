/**
 * The functions of the C library that Node has none for: the one place that loads koffi, when the first of them
 * is called. All of them run on the calling thread: a tracer is a thread, not a process.
 */
import { createRequire } from "node:module";
import type koffi from "koffi";

/** Functions by the names that they have here; their contracts are those of the C library's manual pages. */
export type Libc = ReturnType<typeof bound>;

let known: Libc | undefined;

/** Loads the C library once, at the first call. Throws what koffi throws where it cannot be loaded. */
export function libc(): Libc {
  known ??= bound();
  return known;
}

/** Functions that only what stays resident calls: a command does without the time to bind them. */
export type ResidentLibc = ReturnType<typeof boundForResidents>;

let knownForResidents: ResidentLibc | undefined;

/** As `libc`. */
export function residentLibc(): ResidentLibc {
  knownForResidents ??= boundForResidents();
  return knownForResidents;
}

function opened() {
  const native: typeof koffi = createRequire(import.meta.url)("koffi");
  return { native, library: native.load("libc.so.6") };
}

function boundForResidents() {
  const { native, library } = opened();
  return {
    /** Of the last call that has failed. */
    errno: (): number => native.errno(),
    /** By `poll.async` it waits on another thread. */
    poll: library.func("int poll(void *descriptors, unsigned long count, int timeout)"),
    eventfd: library.func("int eventfd(unsigned int value, int flags)"),
    fanotifyInit: library.func("int fanotify_init(unsigned int flags, unsigned int event_flags)"),
    fanotifyMark: library.func(
      "int fanotify_mark(int fd, unsigned int flags, uint64_t mask, int directory, const char *path)",
    ),
    socket: library.func("int socket(int domain, int type, int protocol)"),
    sendto: library.func(
      "int64_t sendto(int fd, const void *bytes, size_t count, int flags, const void *address, unsigned int size)",
    ),
    mallopt: library.func("int mallopt(int parameter, int value)"),
    getsockopt: library.func("int getsockopt(int fd, int level, int option, void *value, void *size)"),
  };
}

function bound() {
  const { native, library } = opened();
  return {
    /** Of the last call that has failed. */
    errno: (): number => native.errno(),
    addressOf: (bytes: Buffer): bigint => native.address(bytes),
    dlsym: library.func("uintptr_t dlsym(uintptr_t handle, const char *name)"),
    abs: library.func("int abs(int number)"),
    ptraceWithData: library.func("long ptrace(int request, int pid, uintptr_t address, void *data)"),
    ptraceWithNumber: library.func("long ptrace(int request, int pid, uintptr_t address, uintptr_t data)"),
    waitpid: library.func("int waitpid(int pid, void *status, int options)"),
    waitid: library.func("int waitid(int type, int id, void *info, int options)"),
    syscall: library.func(
      "long syscall(long number, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e, uintptr_t f)",
    ),
    perfEventOpen: library.func(
      "long syscall(long number, void *attributes, long pid, long cpu, long group, unsigned long flags)",
    ),
    ioctl: library.func("int ioctl(int fd, unsigned long request, uintptr_t argument)"),
    read: library.func("int64_t read(int fd, void *bytes, size_t count)"),
    pread: library.func("int64_t pread(int fd, void *bytes, size_t count, int64_t offset)"),
    pwrite: library.func("int64_t pwrite(int fd, const void *bytes, size_t count, int64_t offset)"),
    close: library.func("int close(int fd)"),
    schedSetscheduler: library.func("int sched_setscheduler(int pid, int policy, void *parameters)"),
    schedGetscheduler: library.func("int sched_getscheduler(int pid)"),
    sigaction: library.func("int sigaction(int signal, void *action, void *old)"),
    timerCreate: library.func("int timer_create(int clock, void *event, void *timer)"),
    timerSettime: library.func("int timer_settime(uintptr_t timer, int flags, void *value, void *old)"),
    gettid: library.func("int gettid()"),
    posixSpawn: library.func(
      "int posix_spawnp(void *pid, const char *file, void *actions, void *attributes, const char **argv, const char **envp)",
    ),
  };
}
