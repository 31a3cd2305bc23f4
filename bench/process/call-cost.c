/*
 * What a call of a function costs: argv[1] is a file in which the rounds are
 * counted and timed; each round makes a million calls.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define CALLS 1000000

struct shared {
	/* The number of the round that is asked for, and of the last one done. */
	volatile uint64_t wanted, done;
	/* Of that round. */
	volatile uint64_t nanoseconds, sum;
};

#define LASTING __attribute__((noinline, noclone, used))

LASTING long work(long a) { __asm__ volatile(""); return a + 1; }
LASTING long work_new(long a) { __asm__ volatile(""); return a + 2; }

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	int fd = open(argv[1], O_RDWR | O_CREAT, 0600);
	if (ftruncate(fd, sizeof(struct shared)) != 0)
		return 2;
	struct shared *shared = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	for (;;) {
		while (shared->wanted == shared->done)
			usleep(200);
		long sum = 0;
		uint64_t start = now();
		for (long i = 0; i < CALLS; i++)
			sum += work(i);
		shared->nanoseconds = now() - start;
		shared->sum = sum;
		shared->done++;
	}
}
