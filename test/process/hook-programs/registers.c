/*
 * Calls a function with a known value in every register but the flags and the
 * stack pointer, and compares what the function got. argv[1]: a file that holds
 * how often each version got them right, and how often something else came.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/* rax, rbx, rcx, rdx, rsi, rdi, rbp, r8 to r15; then the stack pointer. */
#define COUNT 15
uint64_t given[COUNT], got[COUNT];
uint64_t stack_given, stack_got, version;

#define KEEP(number) \
	"mov %rax, got+0(%rip); mov %rbx, got+8(%rip); mov %rcx, got+16(%rip); mov %rdx, got+24(%rip);" \
	"mov %rsi, got+32(%rip); mov %rdi, got+40(%rip); mov %rbp, got+48(%rip); mov %r8, got+56(%rip);" \
	"mov %r9, got+64(%rip); mov %r10, got+72(%rip); mov %r11, got+80(%rip); mov %r12, got+88(%rip);" \
	"mov %r13, got+96(%rip); mov %r14, got+104(%rip); mov %r15, got+112(%rip);" \
	"mov %rsp, stack_got(%rip); movq $" #number ", version(%rip); ret"

__attribute__((naked, used)) void target(void) { __asm__(KEEP(1)); }
__attribute__((naked, used)) void target_new(void) { __asm__(KEEP(2)); }

__attribute__((naked, noinline)) static void call(void)
{
	__asm__("push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15;"
		"mov given+0(%rip), %rax; mov given+8(%rip), %rbx; mov given+16(%rip), %rcx; mov given+24(%rip), %rdx;"
		"mov given+32(%rip), %rsi; mov given+40(%rip), %rdi; mov given+48(%rip), %rbp; mov given+56(%rip), %r8;"
		"mov given+64(%rip), %r9; mov given+72(%rip), %r10; mov given+80(%rip), %r11; mov given+88(%rip), %r12;"
		"mov given+96(%rip), %r13; mov given+104(%rip), %r14; mov given+112(%rip), %r15;"
		"mov %rsp, stack_given(%rip); call target;"
		"pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret");
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int fd = open(argv[1], O_RDWR | O_CREAT, 0600);
	if (ftruncate(fd, 64) != 0)
		return 2;
	volatile uint64_t *seen = mmap(NULL, 64, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	for (uint64_t round = 0;; round++) {
		for (int i = 0; i < COUNT; i++)
			given[i] = round * 0x9e3779b97f4a7c15u + i * 0x0101010101010101u;
		call();
		seen[memcmp(given, got, sizeof(given)) != 0 || stack_got != stack_given - 8 ? 0 : version]++;
	}
}
