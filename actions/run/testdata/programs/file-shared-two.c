// Two shared mappings of one file are two ways to the same page of the page cache: what is written
// through one of them is there at once in the other.
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
	int fd = fileno(tmpfile());
	size_t page = sysconf(_SC_PAGESIZE);
	ftruncate(fd, page);
	volatile char *one = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0); // mmap
	volatile char *two = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0); // mmap
	one[0] = 'a'; // map
	char first = two[0]; // map
	one[0] = 'b';
	printf("%c, then %c\n", first, two[0]);
	munmap((void *)one, page); // munmap
	printf("still %c\n", two[0]);
	return 0;
}
