// posix_spawn(3) of the C library copies no memory: its child runs in that of the parent, on a stack of its own
// that is mapped for it, until it executes the program. So a page stays the parent's alone, and takes no fault.
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int main(void)
{
	char *args[] = {"true", NULL};
	pid_t child;
	int status = 0;
	volatile int *n = mmap(NULL, sizeof *n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); // mmap
	*n = 1; // zero-fill
	if (posix_spawn(&child, "/bin/true", NULL, NULL, args, environ) != 0) // mmap; clone3, or clone; munmap
		return 1;
	*n = 2;
	waitpid(child, &status, 0);
	*n = 3;
	printf("%d, and the child ended with %d\n", *n, WEXITSTATUS(status));
	return 0;
}
