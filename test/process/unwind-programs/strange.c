/* Threads whose stacks cannot be trusted, each for a reason of its own; the argument says which. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

static void wait_forever(void)
{
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}

static ucontext_t before, inside;

static void coroutine(void *stack)
{
	getcontext(&inside);
	inside.uc_stack.ss_sp = stack;
	inside.uc_stack.ss_size = 65536;
	inside.uc_link = &before;
	makecontext(&inside, wait_forever, 0);
	swapcontext(&before, &inside);
}

/* A handler that was set without the C library, with a return of the program's own. */
void own_return(void);
__asm__(".text\nown_return: mov $15, %rax\n syscall\n");

static void handler(int signal)
{
	(void)signal;
	wait_forever();
}

static void own_signal_return(void)
{
	struct { void (*handler)(int); unsigned long flags; void (*restorer)(void); unsigned long mask; } action = {
		handler, 0x04000000, own_return, 0
	};
	syscall(SYS_rt_sigaction, SIGUSR1, &action, 0, 8);
	raise(SIGUSR1);
}

/* sub $8, %rsp; call *%rdi */
static const unsigned char CALLER[] = { 0x48, 0x83, 0xec, 0x08, 0xff, 0xd7 };

static void made_at_run_time(void)
{
	void *code = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(code, CALLER, sizeof(CALLER));
	mprotect(code, 4096, PROT_READ | PROT_EXEC);
	((void (*)(void (*)(void)))code)(wait_forever);
}

void without_information(void (*function)(void));
void wrong_information(void (*function)(void));
void in_a_circle(void (*function)(void));
__asm__(".text\n"
	"without_information: sub $8, %rsp\n call *%rdi\n"
	"wrong_information: .cfi_startproc\n .cfi_def_cfa rsp, -64\n sub $8, %rsp\n call *%rdi\n .cfi_endproc\n"
	"in_a_circle: .cfi_startproc\n .cfi_def_cfa rsp, 0\n .cfi_offset rip, -8\n sub $8, %rsp\n call *%rdi\n .cfi_endproc\n");

int main(int count, char **arguments)
{
	const char *which = count > 1 ? arguments[1] : "";
	if (strcmp(which, "coroutine") == 0)
		coroutine(malloc(65536));
	else if (strcmp(which, "coroutine-mapped") == 0)
		coroutine(mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	else if (strcmp(which, "own-signal-return") == 0)
		own_signal_return();
	else if (strcmp(which, "made-at-run-time") == 0)
		made_at_run_time();
	else if (strcmp(which, "without-information") == 0)
		without_information(wait_forever);
	else if (strcmp(which, "wrong-information") == 0)
		wrong_information(wait_forever);
	else if (strcmp(which, "in-a-circle") == 0)
		in_a_circle(wait_forever);
	else
		wait_forever();
}
