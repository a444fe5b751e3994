// What the compiler keeps in registers has a name, too.
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

__attribute__((noinline)) static void touch(char *at, int with)
{
	*at = with;
	__asm__ volatile("" ::: "memory");
}

int main(void)
{
	long page = sysconf(_SC_PAGESIZE), sum = 0;
	char *rows = mmap(NULL, 8 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 8; i++) {
		touch(rows + i * page, i);
		sum += rows[i * page];
	}
	char *kept = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	kept[0] = kept[page] = sum;
	touch(kept, kept[page]);
	munmap(rows, 8 * page);
	munmap(kept, 4 * page);
	return 0;
}
