// A shared mapping is one piece of memory for parent and child: each sees what the other writes.
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	int *n = mmap(NULL, sizeof *n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); // mmap
	*n = 1; // map
	if (fork() == 0) { // clone
		++*n; // map
		_exit(0);
	}
	wait(NULL);
	printf("%d\n", *n);
	munmap(n, sizeof *n); // munmap
	return 0;
}
