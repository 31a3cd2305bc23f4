/*
 * Threads that call h, which calls f and g, over and over. Each function tells its
 * version by what it returns: h sees at once if f or g is not of its own version,
 * or did not get its arguments.
 *
 * SIGUSR1 makes it fork a child, whose only thread does the same; SIGUSR2 run itself
 * anew (exec); SIGHUP exit; SIGWINCH do nothing, by a handler.
 *
 * argv: a file that holds what is counted, number of threads, rounds that h makes,
 * how many of the threads rest a while between calls, and after how many calls of h
 * a thread ends, with another one in its place (0: never).
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

struct counts {
	volatile uint64_t calls, mixed, old, new, restarts, rest[3];
};

static struct counts *counts;
static unsigned rounds;
static unsigned resting;
static unsigned life;

#define LASTING __attribute__((noinline, noclone, used))
#define SUM(a, b, c, d, e, f, x, y) ((a) + (b) + (c) + (d) + (e) + (f) + (long)(x) + (long)(y))

LASTING long f(long a, long b, long c, long d, long e, long k, double x, double y)
{
	__asm__ volatile("");
	return 1000000 + SUM(a, b, c, d, e, k, x, y);
}

LASTING long f_new(long a, long b, long c, long d, long e, long k, double x, double y)
{
	__asm__ volatile("");
	return 2000000 + SUM(a, b, c, d, e, k, x, y);
}

LASTING long ten(void)
{
	__asm__ volatile("");
	return 10;
}

/* A call is among the instructions that a hook displaces. */
LASTING long g(const struct counts *mine)
{
	return ten() + (long)(mine - counts);
}

LASTING long g_new(const struct counts *mine)
{
	__asm__ volatile("");
	return 20000 + (long)(mine - counts);
}

/* Ends before a hook does; what follows is padding. */
LASTING __attribute__((naked)) int tiny(void) { __asm__ volatile("xor %eax, %eax\n\tret"); }

#define VERSION_OF_H(name, first, second, counter) \
	LASTING void name(struct counts *mine) \
	{ \
		for (unsigned i = 0; i < rounds; i++) { \
			long a = f(i, i + 1, 2, 3, 4, 5, 1.5 + i, 2.5); \
			long b = g(mine); \
			if (a != (first) + 3L * i + 1 + 2 + 3 + 4 + 5 + 1 + 2 || b != (second) + (mine - counts)) \
				mine->mixed++; \
			mine->calls += 2; \
		} \
		mine->counter++; \
		mine->calls++; \
	}

VERSION_OF_H(h, 1000000, 10, old)
VERSION_OF_H(h_new, 2000000, 20000, new)

static void *work(void *argument);

static void start(struct counts *slot)
{
	pthread_t thread;
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 1 << 17);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	while (pthread_create(&thread, &attributes, work, slot) != 0)
		usleep(1000);
	pthread_attr_destroy(&attributes);
}

static void *work(void *argument)
{
	struct counts *mine = argument;
	int rests = mine - counts < resting;
	for (unsigned calls = 1;; calls++) {
		h(mine);
		if (rests)
			usleep(1000);
		if (calls == life) {
			mine->restarts++;
			start(mine);
			return NULL;
		}
	}
}

static volatile sig_atomic_t wish;

static void on_signal(int signal)
{
	if (signal != SIGWINCH)
		wish = signal;
}

int main(int argc, char **argv)
{
	if (argc < 6)
		return 2;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	const int signals[] = { SIGUSR1, SIGUSR2, SIGHUP, SIGWINCH };
	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], on_signal);
	int fd = open(argv[1], O_RDWR | O_CREAT, 0600);
	int threads = atoi(argv[2]);
	rounds = atoi(argv[3]);
	resting = atoi(argv[4]);
	life = atoi(argv[5]);
	if (ftruncate(fd, (threads + 2) * sizeof(struct counts)) != 0)
		return 2;
	counts = mmap(NULL, (threads + 2) * sizeof(struct counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	for (int i = 0; i < threads; i++)
		start(&counts[i]);
	counts[threads].calls = tiny() + 1;
	for (;;) {
		usleep(1000);
		if (wish == SIGUSR1) {
			wish = 0;
			pid_t child = fork();
			if (child == 0) {
				prctl(PR_SET_PDEATHSIG, SIGKILL);
				work(&counts[threads + 1]);
			}
			counts[threads].mixed = child;
		}
		if (wish == SIGUSR2)
			execv("/proc/self/exe", argv);
		if (wish == SIGHUP)
			exit(0);
	}
}
