// mincore(2) says of each page whether a touch would find it in memory. Of private anonymous memory, pages that were
// never touched are not, nor are those that MADV_DONTNEED has dropped.
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static void show(void *p, size_t length)
{
	unsigned char there[4] = {0};
	mincore(p, length, there); // mincore
	for (int i = 0; i < 4; i++)
		putchar(there[i] & 1 ? '#' : '.');
	putchar('\n');
}

int main(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	volatile char *p = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); // mmap
	show((void *)p, 4 * page);
	p[page] = 1; // zero-fill
	(void)p[2 * page]; // zero-map
	show((void *)p, 4 * page);
	madvise((void *)(p + page), page, MADV_DONTNEED); // madvise
	show((void *)p, 4 * page);
	munmap((void *)p, 4 * page); // munmap
	return 0;
}
