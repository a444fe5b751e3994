// munmap(2) of the middle of a mapping leaves two mappings with a hole between them: to what was in
// the hole there is no way back, and an access is answered with SIGSEGV.
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	volatile char *p = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); // mmap
	for (int i = 0; i < 3; i++)
		p[i * page] = 'a' + i; // zero-fill
	munmap((void *)(p + page), page); // munmap
	dprintf(1, "%c and %c are left\n", p[0], p[2 * page]);
	int gone = msync((void *)p, 3 * page, MS_ASYNC); // msync ENOMEM
	dprintf(1, "all of it: %d\n", gone);
	p[page] = 'x'; // SIGSEGV/MAPERR
	dprintf(1, "never %c\n", p[page]);
	return 0;
}
