// Each line with a memory event says which in its comment: the test holds them against what is told.
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES 4

static size_t page;

static char *make(void) {
	return mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); // mmap
}

static char *whole;

static int compare(const void *x, const void *y) {
	whole[2 * page] = 3; // zero-fill
	return *(const int *)x - *(const int *)y;
}

int main(void) {
	page = (size_t)sysconf(_SC_PAGESIZE);
	char *a = make();
	madvise(a, PAGES * page, MADV_NOHUGEPAGE); // madvise
	a[0] = 1; // zero-fill
	volatile char c = a[page]; // zero-map
	a[page] = 2; // zero-fill
	whole = a;
	int two[] = {2, 1};
	qsort(two, 2, sizeof *two, compare);
	if (fork() == 0) { // clone
		a[0] = 9; // copy
		_exit(c);
	}
	wait(NULL);
	a[0] = 10; // reuse, or copy
	mprotect(a, page, PROT_READ); // mprotect
	munmap(a + page, page); // munmap
	a[page] = 4; // SIGSEGV/MAPERR
}
