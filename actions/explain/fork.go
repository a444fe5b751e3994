package explain

import (
	"fmt"
	"os"
	"strconv"

	"cowscope/actions/kernel"
	"cowscope/vmspace"
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

var forkSentences = sentences{
	why:     explainFork,
	reasons: forkReasons,
	failed:  "There is no child.",
}

func explainFork(e *evidence) string {
	st := e.st
	shared := uint64(0)
	if p := st.After.Process(e.Child); p != nil {
		for _, r := range p.Pages.All() {
			if r.State == vmspace.COW {
				shared += r.Pages
			}
		}
	}
	return fmt.Sprintf("%s is a copy of %s with the same addresses. No memory was copied: %s shared copy-on-write; mappings of files and shared memory start without page table entries.",
		e.Child, st.Process, pagesAre(shared))
}

func pagesAre(n uint64) string {
	if n == 1 {
		return "1 anonymous page is"
	}
	return fmt.Sprintf("%d anonymous pages are", n)
}
