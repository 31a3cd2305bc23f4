/* One of many: threads that call a function all the time, with long rests. Argument: threads besides the first. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static volatile long total;

__attribute__((noinline)) int price(int pieces)
{
	total += pieces;
	return pieces * 3;
}

static void *work(void *arg)
{
	for (;;) {
		price(2);
		usleep(500000);
	}
	return arg;
}

int main(int argc, char **argv)
{
	for (int i = 0; i < (argc > 1 ? atoi(argv[1]) : 0); i++) {
		pthread_t thread;
		pthread_create(&thread, NULL, work, NULL);
	}
	puts("ready");
	fflush(stdout);
	work(NULL);
}
