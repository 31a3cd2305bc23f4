/* A process to be stopped: as many threads as the argument says, a quarter of them spinning, the others asleep. */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void *spin(void *arg)
{
	for (volatile long count = 0;; count++)
		;
	return arg;
}

static void *sleeps(void *arg)
{
	int *ends = arg;
	char byte;

	while (read(ends[0], &byte, 1) >= 0)
		;
	return NULL;
}

int main(int argc, char **argv)
{
	int threads = argc > 1 ? atoi(argv[1]) : 1;
	int ends[2];
	pthread_attr_t attributes;

	if (pipe(ends))
		return 1;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 1 << 16);
	for (int i = 1; i < threads; i++) {
		pthread_t thread;
		if (pthread_create(&thread, &attributes, i % 4 ? sleeps : spin, ends))
			return 1;
	}
	puts("ready");
	fflush(stdout);
	sleeps(ends);
}
