package explain

import (
	"fmt"

	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
)

// What fork refuses (copy_process in kernel/fork.c).

var forkReasons = []reason{
	{"EAGAIN", "RLIMIT_NPROC", "fork(2)", func(e *evidence) bool {
		user, most := e.realUID(), e.Limit(kernel.LimitNproc)
		return user != 0 && most < maxTasks && !e.May(kernel.CapSysResource) && !e.May(kernel.CapSysAdmin) && e.Tasks(user) >= most
	}, func(e *evidence) string {
		return fmt.Sprintf("user %d has %s (processes and their threads), and RLIMIT_NPROC allows %d.",
			e.realUID(), amount.Of(e.Tasks(e.realUID()), "task"), e.Limit(kernel.LimitNproc))
	}},
	fallback("EAGAIN", "fork(2)",
		"a limit on processes was reached: RLIMIT_NPROC, kernel.threads-max, kernel.pid_max, or pids.max of the control group."),
	fallback("ENOMEM", "fork(2)",
		"there is no memory for the child's page tables, or the kernel will not promise its private memory a second time (vm.overcommit_memory)."),
}

// maxTasks is more than any system can have (PID_MAX_LIMIT in include/linux/threads.h).
const maxTasks = 1 << 22

// realUID is the real user ID of the process.
func (e *evidence) realUID() uint64 {
	uid, known := e.Status("Uid")
	if !known {
		return 0
	}
	return uid
}

// explainFork says what the child has. Private pages are shared copy-on-write; pages that the
// kernel can find again in a file or in shared memory are mapped at the first touch by the child
// (vma_needs_copy in mm/memory.c).
func explainFork(e *evidence) string {
	st := e.st
	parent, child := st.After.Process(st.Process), st.After.Process(e.Child)
	if parent == nil || child == nil {
		return fmt.Sprintf("%s is a copy of %s.", e.Child, st.Process)
	}
	var cow, left, without, wiped, untold uint64
	for _, r := range child.Pages.All() {
		if r.State == vmspace.COW {
			cow += r.Pages
		}
	}
	for _, m := range parent.Mappings.All() {
		twin, has := child.MappingAt(m.Start)
		if has && uffdRegistered(m) && !uffdRegistered(twin) {
			untold++
		}
		switch {
		case !has:
			without++
		case m.Smaps.HasFlag("wf"):
			wiped++
		case !lent(m):
			left += parent.Resident(m.Range) - min(child.Resident(m.Range), parent.Resident(m.Range))
		}
	}
	e.st.Claims = append(e.st.Claims, history.Claim{Kind: history.ClaimShared, Process: e.Child, Range: vmspace.Everything, Count: cow})
	text := fmt.Sprintf("%s is a copy of %s with the same addresses. No memory was copied: %s shared copy-on-write.", e.Child, st.Process, pagesAre(cow))
	if left > 0 {
		text += fmt.Sprintf(" %s left for its first touch: the kernel finds them again in a file, in shared memory or in its page of zeros.", pagesWere(left))
	}
	text += e.threadsText()
	if without > 0 {
		text += fmt.Sprintf(" It did not get %s (dontfork).", amount.Of(without, "mapping"))
	}
	if wiped > 0 {
		text += fmt.Sprintf(" It got %s empty (wipeonfork).", amount.Of(wiped, "mapping"))
	}
	if untold > 0 {
		text += fmt.Sprintf(" userfaultfd does not handle its faults, as it does those in %s of %s.", amount.Of(untold, "mapping"), st.Process)
	}
	return text
}

func pagesAre(n uint64) string {
	if n == 1 {
		return "1 anonymous page is"
	}
	return fmt.Sprintf("%d anonymous pages are", n)
}
