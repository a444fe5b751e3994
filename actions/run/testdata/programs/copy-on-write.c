// After a fork parent and child share each page until one of them writes: that one gets a copy. The process
// that is left alone with the old page takes a fault too, by which it becomes writable again: as a rule
// without a copy.
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	int status;
	size_t page = sysconf(_SC_PAGESIZE);
	volatile int *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); // mmap
	p[0] = 1; // zero-fill
	if (fork() == 0) { // clone
		p[0] = 2; // copy
		p[1] = 2;
		_exit(p[0]);
	}
	wait(&status);
	printf("parent %d, child %d\n", p[0], WEXITSTATUS(status));
	p[0] = 3; // reuse, or copy
	printf("parent %d\n", p[0]);
	return 0;
}
