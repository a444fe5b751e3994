// MAP_FIXED replaces without a word what was mapped at its address, and MAP_FIXED_NOREPLACE does not:
// it fails with EEXIST, and the memory is as it was.
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	int prot = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;
	volatile char *p = mmap(NULL, 3 * page, prot, flags, -1, 0); // mmap
	p[0] = 'a'; // zero-fill
	p[page] = 'b'; // zero-fill
	void *q = mmap((void *)(p + page), page, prot, flags | MAP_FIXED_NOREPLACE, -1, 0); // mmap EEXIST
	printf("%s: %c\n", q == MAP_FAILED && errno == EEXIST ? "there is something" : "replaced", p[page]);
	q = mmap((void *)(p + page), page, prot, flags | MAP_FIXED, -1, 0); // mmap
	int now = p[page]; // zero-map
	printf("%s: %d, and beside it %c\n", q == p + page ? "replaced" : "elsewhere", now, p[0]);
	return 0;
}
