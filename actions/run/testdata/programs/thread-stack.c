// The stack of a thread is a mapping that the C library makes, with a guard at its low end. Its pages
// come when they are first touched, as those of any other mapping.
// flags: -pthread -fno-stack-clash-protection
// chance: whether the thread has ended when the program goes on
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static size_t page;

static void *deep(void *sum)
{
	volatile char room[8 * page];
	for (int i = 7; i >= 0; i--)
		room[i * page] = i; // zero-fill
	for (int i = 0; i < 8; i++)
		*(int *)sum += room[i * page];
	return NULL;
}

int main(void)
{
	int sum = 0;
	pthread_t thread;
	page = sysconf(_SC_PAGESIZE);
	pthread_create(&thread, NULL, deep, &sum); // mmap; mprotect, or madvise; zero-fill; clone3, or clone
	pthread_join(thread, NULL);
	printf("%d\n", sum);
	return 0;
}
