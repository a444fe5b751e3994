// A page of shared anonymous memory is a page of its own from the first access on, even if that is a
// read: a later write needs no second fault. (Private memory would get the zero page first.)
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	volatile char *p = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); // mmap
	int before = p[0]; // map
	p[0] = 'a';
	p[2 * page] = 'c'; // map
	printf("%d, then %c and %c\n", before, p[0], p[2 * page]);
	munmap((void *)p, 3 * page); // munmap
	return 0;
}
