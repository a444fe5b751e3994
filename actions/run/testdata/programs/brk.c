// The heap ends where brk(2) says: sbrk(3) moves that end up and down. What lies beyond it is gone,
// and if the heap grows again there are zeros.
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	char text[40];
	intptr_t page = sysconf(_SC_PAGESIZE);
	uintptr_t end = (uintptr_t)sbrk(0), pad = -end & (page - 1);
	volatile char *p = (volatile char *)(end + pad);
	sbrk(pad + 2 * page); // brk
	p[0] = 'a'; // zero-fill
	p[page] = 'b'; // zero-fill
	sbrk(-page); // brk
	sbrk(page); // brk
	int again = p[page]; // zero-map
	write(1, text, snprintf(text, sizeof text, "%c, and again %d\n", p[0], again));
	sbrk(-page); // brk
	p[page] = 'c'; // SIGSEGV/MAPERR
	return 0;
}
