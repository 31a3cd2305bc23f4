/* Threads that wait, each in the system call that an argument names, for a long time: the number of the call is in no
   code of theirs. Prints a line when all are there, and "interrupted" where one fails with EINTR after a SIGUSR1, to
   wait anew; ends with status 7 when one ends in another way. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t signals;

static void handler(int number)
{
	(void)number;
	signals++;
}

static long waited(const char *how, int descriptor)
{
	struct timespec time = {1000, 0}, rest, end;
	struct pollfd set = {descriptor, POLLIN, 0};
	struct epoll_event event;
	unsigned word = 7;

	if (!strcmp(how, "nanosleep"))
		return syscall(SYS_nanosleep, &time, NULL);
	if (!strcmp(how, "nanosleep-rest"))
		return syscall(SYS_nanosleep, &time, &rest);
	if (!strcmp(how, "clock"))
		return syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &time, &rest);
	if (!strcmp(how, "clock-real"))
		return syscall(SYS_clock_nanosleep, CLOCK_REALTIME, 0, &time, NULL);
	if (!strcmp(how, "cpu"))
		return syscall(SYS_clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, 0, &time, &rest);
	if (!strcmp(how, "poll"))
		return syscall(SYS_poll, &set, 1, 1000000);
	if (!strcmp(how, "poll-ever"))
		return syscall(SYS_poll, &set, 1, -1);
	if (!strcmp(how, "poll-none"))
		return syscall(SYS_poll, NULL, 0, 1000000);
	if (!strcmp(how, "futex"))
		return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 7, &time, NULL, 0);
	if (!strcmp(how, "futex-end")) {
		clock_gettime(CLOCK_MONOTONIC, &end);
		end.tv_sec += 1000;
		return syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, 7, &end, NULL, FUTEX_BITSET_MATCH_ANY);
	}
	if (!strcmp(how, "epoll"))
		return epoll_wait(epoll_create1(0), &event, 1, -1);
	_exit(9);
}

static void *waits(void *how)
{
	int ends[2];

	if (pipe(ends))
		_exit(8);
	for (;;) {
		int before = signals;
		long result = waited(how, ends[0]);
		if (result != -1 || errno != EINTR || signals == before) {
			printf("%s: %ld, %s\n", (char *)how, result, strerror(errno));
			fflush(stdout);
			_exit(7);
		}
		printf("interrupted\n");
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = handler};

	sigaction(SIGUSR1, &action, NULL);
	for (int i = 2; i < argc; i++) {
		pthread_t thread;
		pthread_create(&thread, NULL, waits, argv[i]);
	}
	printf("ready\n");
	fflush(stdout);
	waits(argv[1]);
}
