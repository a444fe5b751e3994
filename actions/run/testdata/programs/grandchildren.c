// After two forks three processes share one page. Whoever writes to it gets a copy, until only one is left:
// that one keeps the page, as a rule.
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	volatile int *n = mmap(NULL, sizeof *n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); // mmap
	*n = 1; // zero-fill
	if (fork() == 0) { // clone
		if (fork() == 0) { // clone
			*n += 2; // copy
			dprintf(1, "grandchild: %d\n", *n);
			_exit(0);
		}
		wait(NULL);
		*n += 1; // copy
		dprintf(1, "child: %d\n", *n);
		_exit(0);
	}
	wait(NULL);
	*n += 0; // reuse, or copy
	dprintf(1, "parent: %d\n", *n);
	return 0;
}
