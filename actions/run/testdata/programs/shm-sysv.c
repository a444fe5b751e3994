// A segment of System V shared memory is attached where the kernel likes. One that is marked to be removed
// lives until the last process has detached it.
#include <stdio.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	int id = shmget(IPC_PRIVATE, sysconf(_SC_PAGESIZE), IPC_CREAT | 0600);
	volatile int *n = shmat(id, NULL, 0); // shmat
	struct shmid_ds about;
	shmctl(id, IPC_RMID, NULL);
	*n = 1; // map
	if (fork() == 0) { // clone
		*n = 2; // map
		shmdt((void *)n); // shmdt
		_exit(0);
	}
	wait(NULL);
	shmctl(id, IPC_STAT, &about);
	printf("%d, attached %lu time\n", *n, (unsigned long)about.shm_nattch);
	shmdt((void *)n); // shmdt
	printf("it is %s\n", shmctl(id, IPC_STAT, &about) == 0 ? "there" : "gone");
	return 0;
}
