// What is left of the last page of a file reads as zeros, but of a page that lies wholly beyond its
// end there is nothing to map: an access there is answered with SIGBUS.
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
	int fd = fileno(tmpfile());
	size_t page = sysconf(_SC_PAGESIZE);
	write(fd, "hello", 5);
	volatile char *p = mmap(NULL, 2 * page, PROT_READ, MAP_SHARED, fd, 0); // mmap
	dprintf(1, "%c\n", p[4]); // map
	dprintf(1, "%d\n", p[5]);
	dprintf(1, "%d\n", p[page - 1]);
	dprintf(1, "%d\n", p[page]); // SIGBUS/ADRERR
	return 0;
}
