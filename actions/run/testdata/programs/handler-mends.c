// A handler of SIGSEGV that makes the page accessible mends the fault: the same instruction is
// executed again, and goes through. This is how a program notices by itself which pages are used.
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t page;
static volatile int used;

static void mend(int number, siginfo_t *info, void *context)
{
	(void)number, (void)context;
	mprotect((void *)((uintptr_t)info->si_addr & -page), page, PROT_READ | PROT_WRITE); // mprotect
	++used;
}

int main(void)
{
	page = sysconf(_SC_PAGESIZE);
	struct sigaction action = {.sa_sigaction = mend, .sa_flags = SA_SIGINFO};
	sigaction(SIGSEGV, &action, NULL);
	volatile char *p = mmap(NULL, 5 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); // mmap
	p[page] = 'a'; // SIGSEGV/ACCERR; zero-fill
	p[page + 1] = 'b';
	p[4 * page] = 'c'; // SIGSEGV/ACCERR; zero-fill
	printf("%c %c %c: %d of 5 pages are used\n", p[page], p[page + 1], p[4 * page], used);
	return 0;
}
