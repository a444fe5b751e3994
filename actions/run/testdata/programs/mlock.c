// mlock(2) brings in all pages of its range at once, so that none of them takes a fault. mlock2(2) with MLOCK_ONFAULT
// lets them come when they are touched, and keeps them from then on.
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static int present(void *p, size_t page)
{
	unsigned char there = 0;
	mincore(p, page, &there); // mincore
	return there & 1;
}

int main(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	volatile char *p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); // mmap
	mlock((void *)p, page); // mlock
	printf("locked: %d\n", present((void *)p, page));
	p[0] = 1;
	munlock((void *)p, page); // munlock
	p[1] = 1;
	mlock2((void *)(p + page), page, MLOCK_ONFAULT); // mlock2
	printf("locked on fault: %d\n", present((void *)(p + page), page));
	p[page] = 1; // zero-fill
	printf("touched: %d\n", present((void *)(p + page), page));
	munlock((void *)(p + page), page); // munlock
	return 0;
}
