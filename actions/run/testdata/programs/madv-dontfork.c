// With MADV_DONTFORK a mapping stays with the process: its child has nothing at that address.
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	int status = 0;
	volatile char *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); // mmap
	p[0] = 'x'; // zero-fill
	madvise((void *)p, page, MADV_DONTFORK); // madvise
	if (fork() == 0) { // clone
		char c = p[0]; // SIGSEGV/MAPERR
		_exit(c);
	}
	wait(&status);
	p[0]++;
	printf("the child was %s, and here is %c\n", WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV ? "killed" : "not killed", p[0]);
	return 0;
}
