/* What stopping costs at least: a small C program that stops all threads of a process, reads their registers and
   lets them go. Arguments: pid, how many times, microseconds between. Prints JSON: microseconds of each stop, from
   before the first PTRACE_INTERRUPT to after the last PTRACE_CONT; the seizing is not in it. */
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST 4096

static int threads[MOST];
static struct user_regs_struct registers[MOST];

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static void must(long result, const char *what)
{
	if (result != -1)
		return;
	perror(what);
	exit(1);
}

static void priority(int policy, int level)
{
	struct sched_param parameters = {level};

	sched_setscheduler(0, policy, &parameters);
}

int main(int argc, char **argv)
{
	char path[64];
	int count = 0, rounds, status;
	unsigned pause;

	if (argc != 4)
		return 2;
	rounds = atoi(argv[2]);
	pause = atoi(argv[3]);
	snprintf(path, sizeof path, "/proc/%s/task", argv[1]);
	DIR *directory = opendir(path);
	for (struct dirent *entry; directory && (entry = readdir(directory)) && count < MOST;)
		if (atoi(entry->d_name))
			threads[count++] = atoi(entry->d_name);
	for (int i = 0; i < count; i++)
		must(ptrace(PTRACE_SEIZE, threads[i], 0, 0), "seize");
	printf("{\"threads\":%d,\"stopsUs\":[", count);
	for (int round = 0; round < rounds; round++) {
		priority(SCHED_FIFO, 1);
		double start = now();
		for (int i = 0; i < count; i++)
			must(ptrace(PTRACE_INTERRUPT, threads[i], 0, 0), "interrupt");
		for (int i = 0; i < count; i++)
			must(waitpid(threads[i], &status, __WALL), "wait");
		for (int i = 0; i < count; i++)
			must(ptrace(PTRACE_GETREGS, threads[i], 0, &registers[i]), "registers");
		for (int i = 0; i < count; i++)
			must(ptrace(PTRACE_CONT, threads[i], 0, 0), "cont");
		double end = now();
		priority(SCHED_OTHER, 0);
		printf("%s%.1f", round ? "," : "", end - start);
		usleep(pause);
	}
	puts("]}");
	return 0;
}
