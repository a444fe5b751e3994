package actions

import (
	"fmt"
	"os"
	"strconv"

	"cowscope/actions/kernel"
	"cowscope/vmspace/amount"
)

// What fork refuses (copy_process in kernel/fork.c).

var forkReasons = []reason{
	{"EAGAIN", "RLIMIT_NPROC", "fork(2)", func(e *evidence) bool {
		user, most := e.user(), e.Limit(kernel.LimitNproc)
		return user != 0 && most < maxTasks && !e.May(kernel.CapSysResource) && !e.May(kernel.CapSysAdmin) && e.tasks(user) >= most
	}, func(e *evidence) string {
		return fmt.Sprintf("user %d has %s (processes and their threads), and RLIMIT_NPROC allows %d.",
			e.user(), amount.Of(e.tasks(e.user()), "task"), e.Limit(kernel.LimitNproc))
	}},
	otherwise("EAGAIN", "fork(2)",
		"a limit on processes was reached: RLIMIT_NPROC, kernel.threads-max, kernel.pid_max, or pids.max of the control group."),
	otherwise("ENOMEM", "fork(2)",
		"there is no memory for the child's page tables, or the kernel will not promise its private memory a second time (vm.overcommit_memory)."),
}

// maxTasks is more than any system can have (PID_MAX_LIMIT in include/linux/threads.h).
const maxTasks = 1 << 22

// user is the real user ID of the process.
func (e *evidence) user() uint64 {
	uid, known := e.Status("Uid")
	if !known {
		return 0
	}
	return uid
}

// tasks counts the processes and threads of a user that can be seen.
func (e *evidence) tasks(user uint64) (n uint64) {
	entries, _ := os.ReadDir("/proc") // none are counted where it cannot be read
	for _, d := range entries {
		if _, err := strconv.Atoi(d.Name()); err != nil {
			continue
		}
		text := e.Contents("/proc/" + d.Name() + "/status")
		if uid, known := kernel.ParseField(text, "Uid"); known && uid == user {
			threads, _ := kernel.ParseField(text, "Threads")
			n += threads
		}
	}
	return n
}
