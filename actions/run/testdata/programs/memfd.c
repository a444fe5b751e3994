// A memfd is a file that is in no directory and is kept in memory. Two shared mappings of it are two addresses of the same page,
// and keep the file when its descriptor is closed.
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	int fd = memfd_create("both", 0); // memfd_create
	if (ftruncate(fd, page) != 0)
		return 1;
	volatile int *one = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0); // mmap
	volatile int *other = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0); // mmap
	close(fd);
	*one = 1; // map
	printf("%d\n", *other); // map
	*one = 2;
	printf("%d\n", *other);
	munmap((void *)one, page); // munmap
	printf("%d\n", *other);
	munmap((void *)other, page); // munmap
	return 0;
}
