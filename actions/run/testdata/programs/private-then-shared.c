// A private mapping of a file shows what others write to the file, page by page, until it is written to itself:
// from then on it has a copy of that page.
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	int fd = memfd_create("file", 0); // memfd_create
	if (ftruncate(fd, page) != 0)
		return 1;
	volatile char *shared = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0); // mmap
	volatile char *private = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0); // mmap
	shared[0] = 'a'; // map
	printf("%c\n", private[0]); // map
	shared[0] = 'b';
	printf("%c\n", private[0]);
	private[1] = 'x'; // copy
	shared[0] = 'c';
	printf("%c, and the file has %c\n", private[0], shared[0]);
	return 0;
}
