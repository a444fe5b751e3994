// A memfd that is sealed against writing cannot be mapped shared and writable any more. A private mapping can still be
// written to, because what is written is a copy.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	int fd = memfd_create("sealed", MFD_ALLOW_SEALING); // memfd_create
	if (ftruncate(fd, page) != 0 || write(fd, "old", 3) != 3 || fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) != 0)
		return 1;
	void *shared = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0); // mmap EPERM
	printf("shared: %s\n", shared == MAP_FAILED && errno == EPERM ? "EPERM" : "mapped");
	volatile char *own = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0); // mmap
	char first = own[0]; // map
	own[0] = 'c'; // copy
	char file = 0;
	if (pread(fd, &file, 1, 0) != 1)
		return 1;
	printf("private: %c, then %c; file: %c\n", first, own[0], file);
	return 0;
}
