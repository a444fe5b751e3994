// MADV_DONTNEED gives the pages of private anonymous memory back, and the mapping stays: the next
// access finds zeros, as the very first one did.
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	volatile char *p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); // mmap
	p[0] = 'a'; // zero-fill
	p[page] = 'b'; // zero-fill
	madvise((void *)p, page, MADV_DONTNEED); // madvise
	int again = p[0]; // zero-map
	printf("%d, and beside it %c\n", again, p[page]);
	madvise((void *)p, 2 * page, MADV_DONTNEED); // madvise
	p[page] = 'c'; // zero-fill
	printf("%d and %c\n", p[page + 1], p[page]);
	return 0;
}
