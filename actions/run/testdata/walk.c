#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
int counter;
static char table[3 * 65536] = {1};

// It calls itself.
static int add(int n)
{
	counter += n;
	return n > 0 ? add(n - 1) + 1 : 0;
}
int main(void)
{
	long page = sysconf(_SC_PAGESIZE), seen = 0;
	char *text, *memory = text = mmap(NULL, 41 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memory[2 * page] = 1;

	seen = memory[2 * page];
	table[65536] = seen;
	int sum = add(3);
	if (fork() == 0) {
		// The child writes to its own copy.
		table[65536] = 8;
		_exit(4);
	}
	wait(NULL);
	return text ? sum : 0;
}
