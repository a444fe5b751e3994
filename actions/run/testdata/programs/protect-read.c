// mprotect(2) takes away the right to write, and the contents stay: they can be read as before, and a
// write is answered with SIGSEGV.
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	volatile char *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); // mmap
	p[0] = 'a'; // zero-fill
	mprotect((void *)p, page, PROT_READ); // mprotect
	dprintf(1, "still %c\n", p[0]);
	p[0] = 'b'; // SIGSEGV/ACCERR
	dprintf(1, "never %c\n", p[0]);
	return 0;
}
