#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static int plain = 1;

static void add(int *counter)
{
	*counter += 1;
}

int main(void)
{
	int *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	*shared = 1;
	if (fork() == 0) {
		add(&plain);
		add(shared);
		_exit(0);
	}
	wait(NULL);
	printf("plain %d, shared %d\n", plain, *shared);
	return 0;
}
