#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static long page;

static void fill(char *memory, int from, int to)
{
	for (int i = from; i < to; i++)
		memory[i * page] = 'x';
}

static int count(const char *memory, int pages)
{
	int n = 0;
	for (int i = 0; i < pages; i++)
		n += memory[i * page] == 'x';
	return n;
}

int main(void)
{
	page = sysconf(_SC_PAGESIZE);
	char *memory = mmap(NULL, 24 * page, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	fill(memory, 0, 8);
	printf("%d pages\n", count(memory, 16));
	if (fork() == 0) {
		fill(memory, 4, 12);
		_exit(0);
	}
	wait(NULL);
	return 0;
}
