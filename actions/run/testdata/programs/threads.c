// Threads have the same page tables: a page that one of them has brought in is there for all of them.
// flags: -pthread
// chance: which thread is first
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGES = 8 };
static volatile char *shared;
static size_t page;

static void *odd_or_even(void *first)
{
	for (int i = *(int *)first; i < PAGES; i += 2)
		shared[i * page] = 'a' + i; // zero-fill
	return NULL;
}

int main(void)
{
	int firsts[] = {0, 1};
	pthread_t threads[2];
	page = sysconf(_SC_PAGESIZE);
	shared = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); // mmap
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, odd_or_even, &firsts[i]); // mmap; mprotect, or madvise; zero-fill; clone3, or clone
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < PAGES; i++)
		putchar(shared[i * page]);
	putchar('\n');
	return 0;
}
