// Reading private memory that was never written maps one page of zeros that everybody has: only the
// write gets a page of its own, by a second fault. Writing at once takes a single fault.
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	volatile char *p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); // mmap
	char before = p[0]; // zero-map
	p[0] = 'a'; // zero-fill
	p[page] = 'b'; // zero-fill
	printf("%d, then %c and %c\n", before, p[0], p[page]);
	return 0;
}
