// The stack grows by itself: an access below its mapping makes that larger, and brings in one page of
// zeros. It does not shrink when the function returns, so the second time there are hardly any faults.
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

enum { depth = 60 };

static struct rusage then, now;

static long down(long page, int level, volatile char *above)
{
	volatile char room[page]; room[0] = level; // zero-fill
	long sum = level < depth ? down(page, level + 1, room) : 0;
	return sum + room[0] + above[0];
}

int main(void)
{
	long page = sysconf(_SC_PAGESIZE);
	volatile char top = 0;
	for (int i = 0; i < 2; i++) {
		getrusage(RUSAGE_SELF, &then);
		long sum = down(page, 1, &top);
		getrusage(RUSAGE_SELF, &now);
		printf("%ld, more than %d page faults: %s\n", sum, depth / 2, now.ru_minflt - then.ru_minflt > depth / 2 ? "yes" : "no");
	}
	return 0;
}
