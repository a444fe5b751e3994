// A page without any access between two buffers ends a loop that runs too far: an access to its first
// byte is answered with SIGSEGV, and what lies behind stays as it is.
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static sigjmp_buf back;

static void caught(int number)
{
	siglongjmp(back, number);
}

int main(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	volatile size_t i = 0;
	volatile char *p = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); // mmap
	mprotect((void *)(p + page), page, PROT_NONE); // mprotect
	p[2 * page] = 'z'; // zero-fill
	signal(SIGSEGV, caught);
	if (sigsetjmp(back, 1) == 0)
		for (; i < 3 * page; i++)
			p[i] = 'a'; // zero-fill; SIGSEGV/ACCERR
	printf("stopped at the guard: %s; behind it is %c\n", i == page ? "yes" : "no", p[2 * page]);
	return 0;
}
