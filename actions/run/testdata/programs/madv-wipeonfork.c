// With MADV_WIPEONFORK the child has the mapping but none of its pages: it reads zeros. The parent's page is not shared,
// so the next write of the parent takes no fault.
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	volatile int *secret = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); // mmap
	*secret = 42; // zero-fill
	madvise((void *)secret, page, MADV_WIPEONFORK); // madvise
	if (fork() == 0) { // clone
		dprintf(1, "child: %d\n", *secret); // zero-map
		*secret = 1; // zero-fill
		_exit(0);
	}
	wait(NULL);
	*secret += 1;
	dprintf(1, "parent: %d\n", *secret);
	return 0;
}
