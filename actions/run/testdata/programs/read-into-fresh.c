// When read(2) puts bytes into a page that is not there yet, the kernel itself takes the fault. The program
// finds the page in memory.
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	int ends[2];
	volatile char *p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); // mmap
	if (pipe(ends) != 0 || write(ends[1], "hello", 5) != 5)
		return 1;
	if (read(ends[0], (void *)p, 5) != 5)
		return 1;
	p[0] = 'H';
	p[page] = '!'; // zero-fill
	printf("%s%c\n", (char *)p, p[page]);
	return 0;
}
