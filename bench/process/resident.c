/*
 * A program of which a function is patched. It says how many microseconds after the start of its own code the
 * function was the new one; with an argument it forks so many children instead, when it is told to, which wait.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t told;

static void tell(int number)
{
	told = number;
}

__attribute__((noinline)) int version(int n)
{
	getppid();
	return n * 16 + 1;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

int main(int argc, char **argv)
{
	double begun = now();
	int children = argc > 1 ? atoi(argv[1]) : 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (children == 0) {
		while (version(0) == 1)
			usleep(100);
		printf("%.0f\n", now() - begun);
		return 0;
	}
	signal(SIGUSR1, tell);
	signal(SIGCHLD, SIG_IGN);
	puts("ready");
	fflush(stdout);
	while (!told)
		usleep(1000 * (version(0) & 1));
	for (int i = 0; i < children; i++) {
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
	}
	puts("forked");
	fflush(stdout);
	for (;;)
		pause();
}
