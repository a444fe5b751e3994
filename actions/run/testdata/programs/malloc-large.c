// malloc(3) maps a large block for itself alone, and free(3) unmaps it. calloc(3) does the same and writes no zeros:
// a new page has them, once it is touched.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(void)
{
	size_t page = sysconf(_SC_PAGESIZE), sum = 0;
	volatile char *block = malloc(1 << 20); // mmap; zero-fill
	block[4 * page] = 1; // zero-fill
	volatile char *zeros = calloc(1 << 20, 1); // mmap; zero-fill
	for (int i = 4; i < 8; i++)
		sum += zeros[i * page]; // zero-map
	zeros[4 * page] = 1; // zero-fill
	printf("%zu\n", sum);
	free((void *)block); // munmap
	free((void *)zeros); // munmap
	return 0;
}
