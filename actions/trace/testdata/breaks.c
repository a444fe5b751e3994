// It comes to one function in a thread, in a child of vfork, and in its first thread.
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

int here;

__attribute__((noinline)) void marked(void)
{
	here++;
}

static void *thread(void *unused)
{
	marked();
	return unused;
}

int main(void)
{
	pthread_t other;
	int status;
	pthread_create(&other, NULL, thread, NULL);
	pthread_join(other, NULL);
	if (vfork() == 0) {
		marked();
		_exit(0);
	}
	wait(&status);
	marked();
	return here;
}
