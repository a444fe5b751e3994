// realloc(3) of a large block copies nothing: mremap(2) makes the mapping longer, and moves its pages
// to another address if there is no room.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(void)
{
	size_t page = sysconf(_SC_PAGESIZE), small = 16 * page + (256 << 10), large = 4 * small;
	volatile char *block = malloc(small); // mmap; zero-fill
	block[0] = 'a';
	block[8 * page] = 'b'; // zero-fill
	block = realloc((void *)block, large); // mremap
	printf("%c%c", block[0], block[8 * page]);
	block[small + page] = 'c'; // zero-fill
	printf("%c\n", block[small + page]);
	free((void *)block); // munmap
	return 0;
}
