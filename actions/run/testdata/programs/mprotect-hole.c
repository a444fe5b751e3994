// mprotect(2) of a range with a hole fails, but what lies before the hole has changed already.
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static sigjmp_buf refused;

static void caught(int signal)
{
	(void)signal;
	siglongjmp(refused, 1);
}

int main(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	volatile char *p = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); // mmap
	signal(SIGSEGV, caught);
	p[0] = 1; // zero-fill
	munmap((void *)(p + page), page); // munmap
	int result = mprotect((void *)p, 3 * page, PROT_READ); // mprotect ENOMEM
	printf("%s\n", result == -1 && errno == ENOMEM ? "ENOMEM" : "changed");
	if (sigsetjmp(refused, 1) == 0) {
		p[0] = 2; // SIGSEGV/ACCERR
		puts("before the hole: writable");
	} else {
		puts("before the hole: read-only");
	}
	p[2 * page] = 2; // zero-fill
	puts("behind the hole: writable");
	return 0;
}
