// mremap(2) with MREMAP_MAYMOVE finds another place for a mapping that has no room to grow: its pages
// move with it, uncopied and without a fault. Only the new part has no pages yet.
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); // mmap
	p[0] = 'a'; // zero-fill
	p[page] = 'b'; // zero-fill
	void *stuck = mremap(p, 2 * page, 4 * page, 0); // mremap ENOMEM
	volatile char *q = mremap(p, 2 * page, 4 * page, MREMAP_MAYMOVE); // mremap
	printf("in its place: %s; moved: %s\n", stuck == MAP_FAILED ? "no" : "yes", q == p ? "no" : "yes");
	printf("%c %c\n", q[0], q[page]);
	q[3 * page] = 'd'; // zero-fill
	printf("%d %c\n", q[3 * page + 1], q[3 * page]);
	munmap((void *)q, 4 * page); // munmap
	return 0;
}
