// When the stack has reached its limit there is no room for a signal handler either. One that has an alternate stack
// runs there.
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static void overflown(int signal)
{
	(void)signal;
	if (write(1, "no more stack\n", 14) != 14)
		_exit(1);
	_exit(3);
}

static void deeper(volatile char *above) { volatile char here[1 << 12]; here[0] = above[0]; deeper(here); above[0] = here[0]; } // SIGSEGV/MAPERR

int main(void)
{
	size_t size = 16 * sysconf(_SC_PAGESIZE);
	struct rlimit limit = {192 << 10, 192 << 10};
	struct sigaction action = {.sa_handler = overflown, .sa_flags = SA_ONSTACK};
	stack_t other = {.ss_size = size};
	other.ss_sp = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0); // mmap
	sigaltstack(&other, NULL);
	sigaction(SIGSEGV, &action, NULL);
	setrlimit(RLIMIT_STACK, &limit);
	volatile char start = 0;
	deeper(&start);
	return 0;
}
