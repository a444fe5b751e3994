package explain

import (
	"fmt"
	"slices"

	"cowscope/actions/history"
	"cowscope/vmspace"
	"cowscope/vmspace/printable"
)

// threadReasons are what clone(2) refuses of a thread: it copies no memory.
var threadReasons = slices.Concat(forkReasons[:2], []reason{
	fallback("ENOMEM", "kernel/fork.c, copy_process", "there is no memory for what the kernel keeps of every thread."),
})

// explainThread explains two threads of one process.
func explainThread(e *evidence) string {
	st := e.st
	thread := st.After.Process(e.Child)
	if thread == nil || !thread.Alive() {
		return fmt.Sprintf("%s is gone already.", e.Child)
	}
	e.claim(history.ClaimKept, vmspace.Everything, 0)
	st.Claims = append(st.Claims, history.Claim{Kind: history.ClaimOneSpace, Process: e.Child, Range: vmspace.Everything})
	return fmt.Sprintf("%s is a thread of %s: one process, one address space, of which nothing was copied. What one of them maps or writes is there for all of them at once.",
		e.Child, thread.Parent)
}

// explainThreadExit says that the memory stays.
func explainThreadExit(e *evidence) string {
	return fmt.Sprintf("The thread %s has ended, and nobody has to wait for it.", e.st.Process) + e.survivorsText()
}

// togetherText names the other threads that ended with a process.
func (e *evidence) togetherText() string {
	st := e.st
	was := st.Before.Process(st.Process)
	if was == nil {
		return ""
	}
	var with []string
	for _, o := range st.Before.Processes {
		if now := st.After.Process(o.Label); o.Label != was.Label && o.Alive() && o.Leader() == was.Leader() && (now == nil || !now.Alive()) {
			with = append(with, o.Label)
		}
	}
	if len(with) == 0 {
		return ""
	}
	return fmt.Sprintf(" %s ended with it: the threads of a process end together.", printable.List(with))
}

// threadsText says what a fork does with the other threads.
func (e *evidence) threadsText() string {
	st := e.st
	was := st.Before.Process(st.Process)
	for _, o := range st.Before.Processes {
		if was != nil && o.Label != was.Label && o.Alive() && o.Leader() == was.Leader() {
			return fmt.Sprintf(" It has one thread, the copy of %s: fork copies no other.", st.Process)
		}
	}
	return ""
}
