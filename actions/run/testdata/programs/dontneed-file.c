// MADV_DONTNEED throws away the copies that writes to a private mapping of a file have made: the next
// access finds the bytes of the file.
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
	int fd = fileno(tmpfile());
	size_t page = sysconf(_SC_PAGESIZE);
	write(fd, "file", 4);
	volatile char *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0); // mmap
	p[0] = 'm'; // copy
	char own = p[0];
	madvise((void *)p, page, MADV_DONTNEED); // madvise
	char again = p[0]; // map
	printf("%c, then %c\n", own, again);
	return 0;
}
