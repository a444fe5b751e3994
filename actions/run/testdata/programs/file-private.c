// A write to a private mapping of a file copies the page, and from then on the mapping has a page of
// its own: the file stays as it was.
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
	int fd = fileno(tmpfile());
	size_t page = sysconf(_SC_PAGESIZE);
	char text[5] = "";
	write(fd, "lion", 4);
	volatile char *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0); // mmap
	char first = p[0]; // map
	p[0] = 'z'; // copy
	pread(fd, text, 4, 0);
	printf("%c; mapped %c%c%c%c, file %s\n", first, p[0], p[1], p[2], p[3], text);
	write(fd, "ess", 3);
	printf("mapped %d, for the copy does not change\n", p[4]);
	return 0;
}
