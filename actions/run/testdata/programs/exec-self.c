// A program that is executed has new memory, even if it is the same one: no mapping stays,
// and its variables begin as they did before.
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile int times = 1;

int main(int argc, char **argv)
{
	unsigned char there;
	char address[32];
	if (argc > 1) {
		int gone = mincore((void *)strtoul(argv[1], NULL, 16), 1, &there); // mincore ENOMEM
		printf("the mapping is %s, and the variable is %d\n", gone != 0 && errno == ENOMEM ? "gone" : "there", times);
		return 0;
	}
	volatile char *page = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); // mmap
	*page = 1; // zero-fill
	times++;
	snprintf(address, sizeof address, "%lx", (unsigned long)page);
	execl("/proc/self/exe", argv[0], address, (char *)NULL);
	return 1;
}
