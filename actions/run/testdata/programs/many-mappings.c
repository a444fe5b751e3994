// A mapping has one protection: mprotect(2) of every other page makes many mappings of one. When all have
// the same protection again the kernel merges them.
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static int mappings(char *from, char *to)
{
	int n = 0;
	char line[512];
	unsigned long start, end;
	FILE *maps = fopen("/proc/self/maps", "r");
	while (fgets(line, sizeof line, maps))
		n += sscanf(line, "%lx-%lx", &start, &end) == 2 && start < (unsigned long)to && end > (unsigned long)from;
	fclose(maps);
	return n;
}

int main(void)
{
	size_t page = sysconf(_SC_PAGESIZE), size = 9 * page;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); // mmap
	printf("%d\n", mappings(p, p + size));
	for (size_t i = 1; i < 9; i += 2)
		mprotect(p + i * page, page, PROT_READ); // mprotect
	printf("%d\n", mappings(p, p + size));
	for (size_t i = 1; i < 9; i += 2)
		mprotect(p + i * page, page, PROT_READ | PROT_WRITE); // mprotect
	printf("%d\n", mappings(p, p + size));
	munmap(p, size); // munmap
	return 0;
}
