/* Threads in all kinds of frames, interrupted by signals all the time. */
#include "shadow.h"
#include <alloca.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define THREADS 64

static volatile long sink;

void work_leaf(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		sink += i * n;
}

void work_recursive(unsigned n)
{
	volatile char local[40];
	memset((void *)local, (int)n, sizeof(local));
	if (n > 0)
		work_recursive(n - 1);
	else
		work_leaf(500);
	sink += local[3];
}

void work_recurse(unsigned n)
{
	work_recursive(n % (DEEPEST - 100));
}

void work_alloca(unsigned n)
{
	char *area = alloca(16 + n % 3000);
	memset(area, 1, 16 + n % 3000);
	work_leaf(200);
	sink += area[n % 16];
}

/* Realigned by way of another register, and of a size that is not known. */
void work_aligned(unsigned n)
{
	char vector[128] __attribute__((aligned(64)));
	char rest[n % 500 + 1];
	memset(vector, 2, sizeof(vector));
	memset(rest, 3, sizeof(rest));
	work_alloca(n);
	sink += vector[n % 128] + rest[0];
}

void work_large_frame(unsigned n)
{
	volatile char large[30000];
	large[0] = 1;
	large[29999] = 2;
	work_aligned(n);
	sink += large[n % 30000];
}

int work_compare(const void *a, const void *b)
{
	work_leaf(3);
	return *(const int *)a - *(const int *)b;
}

void work_sort(unsigned n)
{
	int values[200];
	for (unsigned i = 0; i < 200; i++)
		values[i] = (int)((i * 7919 + n) % 1000);
	qsort(values, 200, sizeof(int), work_compare);
	sink += values[0];
}

void work_clock(unsigned n)
{
	struct timespec now;
	for (unsigned i = 0; i < n % 3000; i++) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		sink += now.tv_nsec;
	}
}

void work_print(unsigned n)
{
	char text[200];
	for (unsigned i = 0; i < 20; i++)
		sink += snprintf(text, sizeof(text), "%u %s %f", n, "text", (double)n / 3);
}

__attribute__((noreturn)) void work_jump_back(jmp_buf *back)
{
	work_leaf(100);
	mine->unsure = 1;
	longjmp(*back, 1);
}

void work_jump(unsigned n)
{
	jmp_buf back;
	volatile long depth = mine->depth;
	if (setjmp(back) == 0) {
		work_leaf(n % 100);
		work_jump_back(&back);
	}
	shadow_rewind(depth);
	mine->unsure = 0;
	work_leaf(100);
}

void work_sleep(unsigned n)
{
	struct timespec time = { 0, (long)(n % 3000) * 1000 };
	nanosleep(&time, 0);
}

static void (*const works[])(unsigned) = {
	work_leaf, work_recurse,   work_alloca, work_aligned, work_large_frame,
	work_sort, work_clock,     work_print,  work_jump,    work_sleep,
};

void work_choose(unsigned *seed)
{
	unsigned n = (unsigned)rand_r(seed);
	works[n / 64 % (sizeof(works) / sizeof(works[0]))](n % 64 < 60 ? n % 5000 : n % 60);
	work_sleep(n);
}

/* The call is the last instruction: it returns to another function, if it did. */
__attribute__((noreturn)) void work_wait_forever(void)
{
	for (;;)
		pause();
}

void work_last_call(void)
{
	work_leaf(1);
	work_wait_forever();
}

void work_handler(int signal)
{
	if (signal == SIGUSR2 && mine != 0 && mine->depth < 20)
		raise(SIGUSR1);
	work_leaf(300);
}

static SILENT void handler(int signal)
{
	if (mine)
		work_handler(signal);
}

static SILENT void *thread(void *argument)
{
	unsigned seed = (unsigned)(long)argument + 1;
	stack_t other = { .ss_sp = malloc(65536), .ss_size = 65536 };
	sigaltstack(&other, 0);
	shadow_begin();
	if (seed % 16 == 0)
		work_last_call();
	for (;;)
		work_choose(&seed);
	return 0;
}

SILENT int main(void)
{
	static pthread_t threads[THREADS];
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };
	pthread_attr_t attributes;
	sigaction(SIGUSR1, &action, 0);
	action.sa_flags |= SA_ONSTACK;
	sigaction(SIGUSR2, &action, 0);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 512 * 1024);
	for (long i = 0; i < THREADS; i++)
		pthread_create(&threads[i], &attributes, thread, (void *)i);
	while (shadow_count < THREADS)
		usleep(1000);
	shadow_report();
	for (unsigned i = 0;; i++) {
		pthread_kill(threads[i * 7 % THREADS], i % 3 ? SIGUSR1 : SIGUSR2);
		usleep(200);
	}
}
