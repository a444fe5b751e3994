// /dev/zero can be mapped, and gives anonymous memory: shared between relatives if the mapping is
// shared, and copied on the first write after a fork if it is private.
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	int zero = open("/dev/zero", O_RDWR), status;
	int *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, zero, 0); // mmap
	int *own = mmap(NULL, sizeof *own, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0); // mmap
	close(zero);
	*shared = 1; // map
	*own = 1; // zero-fill
	if (fork() == 0) { // clone
		++*shared; // map
		++*own; // copy
		_exit(*own);
	}
	wait(&status);
	printf("shared %d, own %d, own of the child %d\n", *shared, *own, WEXITSTATUS(status));
	return 0;
}
