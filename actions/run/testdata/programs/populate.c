// MAP_POPULATE and MADV_POPULATE_WRITE let the kernel bring all pages in before they are used: the
// writes afterwards take no fault at all.
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static struct rusage then, now;

static long write_all(volatile char *p, size_t page, int pages)
{
	getrusage(RUSAGE_SELF, &then);
	for (int i = 0; i < pages; i++)
		p[i * page] = 'x';
	getrusage(RUSAGE_SELF, &now);
	return now.ru_minflt + now.ru_majflt - then.ru_minflt - then.ru_majflt;
}

int main(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	int prot = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;
	getrusage(RUSAGE_SELF, &now);
	char *p = mmap(NULL, 6 * page, prot, flags | MAP_POPULATE, -1, 0); // mmap
	printf("%ld page faults with MAP_POPULATE\n", write_all(p, page, 6));
	char *q = mmap(NULL, 6 * page, prot, flags, -1, 0); // mmap
	madvise(q + 2 * page, 4 * page, MADV_POPULATE_WRITE); // madvise
	printf("%ld with MADV_POPULATE_WRITE\n", write_all(q + 2 * page, page, 4));
	return 0;
}
