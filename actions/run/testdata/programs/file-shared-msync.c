// On most file systems a read maps a page of a file read-only, even if the mapping may be written: the first write takes a
// second fault, by which the file system learns of it. Whoever reads the file sees what was written.
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
	int fd = fileno(tmpfile());
	size_t page = sysconf(_SC_PAGESIZE);
	char text[6] = "";
	write(fd, "hello", 5);
	volatile char *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0); // mmap
	char first = p[0]; // map
	p[0] = 'J'; // reuse, or none
	p[4] = 'y';
	msync((void *)p, page, MS_SYNC); // msync
	pread(fd, text, 5, 0);
	printf("%c, then %s\n", first, text);
	munmap((void *)p, page); // munmap
	return 0;
}
