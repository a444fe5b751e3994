// The child of vfork(2) has no memory of its own until it executes a program: it borrows that of its parent, which waits.
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	int status = 0;
	volatile int *n = mmap(NULL, sizeof *n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); // mmap
	pid_t child = vfork(); // vfork, or clone
	if (child == 0) {
		*n = 7; // zero-fill
		execl("/bin/true", "true", (char *)NULL);
		_exit(127);
	}
	*n += 1;
	waitpid(child, &status, 0);
	printf("the child has left %d, and ended with %d\n", *n - 1, WEXITSTATUS(status));
	return 0;
}
