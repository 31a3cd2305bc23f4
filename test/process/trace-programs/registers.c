/* Threads that notice when a register, a vector register or the stack below them is not what they left there.
   Argument: how many threads. Prints a line ten times a second; ends with status 7 when something was changed. */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void *spin(void *arg)
{
	unsigned long seed = (unsigned long)arg * 0x9e3779b97f4a7c15UL + 1;

	for (;;) {
		unsigned long bad;
		__asm__ volatile(
			"mov %1, %%rbx; mov %1, %%r12; mov %1, %%r13; mov %1, %%r14; mov %1, %%r15; mov %1, %%r11\n"
			"movq %1, %%xmm0; movq %1, %%xmm7; movq %1, %%xmm15; mov %1, -64(%%rsp); mov $20000, %%ecx\n"
			"1: dec %%ecx; jnz 1b\n"
			"xor %0, %0\n"
			"mov %1, %%rax; xor %%rbx, %%rax; or %%rax, %0; mov %1, %%rax; xor %%r12, %%rax; or %%rax, %0\n"
			"mov %1, %%rax; xor %%r13, %%rax; or %%rax, %0; mov %1, %%rax; xor %%r14, %%rax; or %%rax, %0\n"
			"mov %1, %%rax; xor %%r15, %%rax; or %%rax, %0; mov %1, %%rax; xor %%r11, %%rax; or %%rax, %0\n"
			"movq %%xmm0, %%rax; xor %1, %%rax; or %%rax, %0; movq %%xmm7, %%rax; xor %1, %%rax; or %%rax, %0\n"
			"movq %%xmm15, %%rax; xor %1, %%rax; or %%rax, %0; mov -64(%%rsp), %%rax; xor %1, %%rax; or %%rax, %0\n"
			: "=&d"(bad)
			: "S"(seed)
			: "rax", "rbx", "rcx", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm7", "xmm15", "memory", "cc");
		if (bad)
			_exit(7);
	}
	return NULL;
}

static void *block(void *arg)
{
	int ends[2];

	if (pipe(ends))
		_exit(8);
	for (;;) {
		struct timespec time = {0, 3000000};
		struct pollfd descriptor = {ends[0], POLLIN, 0};
		char byte = 1;
		switch ((long)arg % 3) {
		case 0:
			if (nanosleep(&time, NULL))
				_exit(7);
			break;
		case 1:
			if (poll(&descriptor, 1, 3) != 0)
				_exit(7);
			break;
		default:
			if (write(ends[1], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1)
				_exit(7);
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	int threads = argc > 1 ? atoi(argv[1]) : 1;

	for (long i = 0; i < threads; i++) {
		pthread_t thread;
		pthread_create(&thread, NULL, i % 4 ? block : spin, (void *)i);
	}
	for (long beat = 0;; beat++) {
		struct timespec time = {0, 20000000};
		printf("%ld\n", beat);
		fflush(stdout);
		if (nanosleep(&time, NULL))
			_exit(7);
	}
}
