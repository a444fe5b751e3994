#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
int counter;
static char table[3 * 65536] = {1};
static int add(int n)
{
	counter += n;
	return n > 0 ? add(n - 1) + 1 : 0;
}
int main(void)
{
	table[65536] = 7;
	int sum = add(3);
	if (fork() == 0) {
		table[65536] = 8;
		_exit(4);
	}
	wait(NULL);
	return sum;
}
