// It is made to act where it is stopped. What it notices of that ends it with a status of its own.
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long page;

// work asks for memory again and again, and has numbers in registers that calls do not keep.
static long work(int rounds)
{
	double sum = 0;
	for (int i = 1; i <= rounds; i++) {
		char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (memory == MAP_FAILED)
			return 2;
		sum += 1.0 / i;
		memory[0] = i;
		memory[page] = i + 1;
		sum -= 0.5 / i;
		if (memory[0] != (char)i || memory[page] != (char)(i + 1) || memory[1])
			return 3;
		if (munmap(memory, 2 * page))
			return 4;
	}
	for (int i = rounds; i >= 1; i--)
		sum -= 0.5 / i;
	return sum > -1e-9 && sum < 1e-9 ? 0 : 5;
}

static void *worker(void *rounds)
{
	return (void *)work((long)rounds);
}

static long since(struct timespec *begin)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - begin->tv_sec) * 1000 + (now.tv_nsec - begin->tv_nsec) / 1000000;
}

static void nothing(int sig)
{
}

// sleeps says how long it has slept, and with what result.
static int sleeps(const char *how)
{
	struct timespec begin, length = {3, 0};
	struct sigaction interrupted = {.sa_handler = nothing};
	struct epoll_event event;
	long result = -1;
	int epoll = epoll_create1(0);
	sigaction(SIGUSR1, &interrupted, NULL);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	puts("asleep");
	fflush(stdout);
	if (!strcmp(how, "nanosleep"))
		result = nanosleep(&length, NULL) ? errno : 0;
	else if (!strcmp(how, "epoll"))
		result = epoll_wait(epoll, &event, 1, 3000) < 0 ? errno : 0;
	long slept = since(&begin);
	printf("%ld after %s\n", result, slept < 2950 ? "a part of it" : slept < 4200 ? "all of it" : "more than that");
	return 0;
}

static int mend(void)
{
	char *memory = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memory[0] = 'x';
	printf("mended: %c\n", memory[0]);
	return 0;
}

static int blocks(void)
{
	sigset_t all, before, after;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	sigprocmask(SIG_SETMASK, NULL, &before);
	long status = work(3);
	sigprocmask(SIG_SETMASK, NULL, &after);
	return status ? status : memcmp(&before, &after, 8) ? 6 : 0;
}

static volatile sig_atomic_t handled;

static void handler(int sig, siginfo_t *info, void *context)
{
	handled = sig == SIGSEGV && info->si_code == SEGV_ACCERR ? 1 : 2;
	mprotect((void *)((long)info->si_addr & -page), page, PROT_READ | PROT_WRITE);
}

static int handles(void)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO}, now;
	sigaction(SIGSEGV, &action, NULL);
	char *memory = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memory[0] = 'x';
	sigaction(SIGSEGV, NULL, &now);
	return handled == 1 && now.sa_sigaction == handler ? 0 : 7;
}

int main(int argc, char **argv)
{
	page = sysconf(_SC_PAGESIZE);
	const char *what = argc > 1 ? argv[1] : "work";
	if (!strcmp(what, "work"))
		return work(3);
	if (!strcmp(what, "both")) {
		int status, child = fork();
		long own = work(10);
		if (child == 0)
			_exit(own);
		if (waitpid(child, &status, 0) != child)
			return 8;
		if (status)
			return WIFEXITED(status) ? 10 + WEXITSTATUS(status) : 30 + WTERMSIG(status);
		return own;
	}
	if (!strcmp(what, "threads")) {
		pthread_t other;
		void *status;
		pthread_create(&other, NULL, worker, (void *)5L);
		long own = work(5);
		pthread_join(other, &status);
		return own ? own : (long)status;
	}
	if (!strcmp(what, "sleeps"))
		return sleeps(argv[2]);
	if (!strcmp(what, "mend"))
		return mend();
	if (!strcmp(what, "blocks"))
		return blocks();
	if (!strcmp(what, "handles"))
		return handles();
	if (!strcmp(what, "filter")) {
		struct sock_filter allow = {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
		struct sock_fprog program = {1, &allow};
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
			return 9;
		return work(1);
	}
	if (!strcmp(what, "ignores")) {
		signal(SIGSEGV, SIG_IGN);
		return work(1);
	}
	if (!strcmp(what, "vfork")) {
		if (vfork() == 0)
			_exit(0);
		return work(1);
	}
	if (!strcmp(what, "exec"))
		return execl(argv[0], argv[0], "work", NULL);
	if (!strcmp(what, "term"))
		raise(SIGTERM);
	return 1;
}
